"""Songs for a text, or like one: the answer goes to the screen and to two tables."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads, gpus=snakemake.resources.gpu) as log:
    from songatlas.config.features import Lyrics, Pretrained
    from songatlas.config.words import Query
    from songatlas.training.device import choose_device
    from songatlas.words.like import write_like
    from songatlas.words.query import write_query

    params, target = snakemake.params, snakemake.output
    source, query = dict(snakemake.input.items()), Query(**params.query)
    if query.like is not None:
        log.result = write_like(source, params.models, query, target.csv, target.md)
    else:
        log.result = write_query(
            params.text,
            source,
            model=params.model,
            encoder=params.encoder,
            lyrics=Lyrics(**params.lyrics),
            pretrained=(
                Pretrained(**params.pretrained, lock=snakemake.resources.weights_lock)
                if params.encoder
                else None
            ),
            seed=params.seed,
            top=query.top,
            device=choose_device(params.device),
            csv=target.csv,
            md=target.md,
        )
