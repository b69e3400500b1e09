"""Songs for a text: the answer goes to the screen and to two tables."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads, gpus=snakemake.resources.gpu) as log:
    from songatlas.config import Lyrics, Pretrained
    from songatlas.retrieval.query import write_query
    from songatlas.training.device import choose_device

    params = snakemake.params
    log.result = write_query(
        params.text,
        dict(snakemake.input.items()),
        model=params.model,
        encoder=params.encoder,
        lyrics=Lyrics(**params.lyrics),
        pretrained=(
            Pretrained(**params.pretrained, lock=snakemake.resources.weights_lock)
            if params.encoder
            else None
        ),
        seed=params.seed,
        top=params.top,
        device=choose_device(params.device),
        csv=snakemake.output.csv,
        md=snakemake.output.md,
    )
