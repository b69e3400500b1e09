"""Names for clusters and captions for songs."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.config import Names, Pretrained
    from songatlas.naming.write import write_names

    params = snakemake.params
    log.result = write_names(
        dict(snakemake.input.items()),
        params.models,
        dict(snakemake.output.items()),
        settings=Names(**params.names),
        encoder=params.encoder,
        pretrained=(
            Pretrained(**params.pretrained, lock=snakemake.resources.weights_lock)
            if params.encoder
            else None
        ),
    )
