"""Names for clusters."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.config import Clustering, Evaluation, Names, Pretrained
    from songatlas.naming.write import write_names
    from songatlas.versioning.name_card import name_card

    params = snakemake.params
    log.result = write_names(
        dict(snakemake.input.items()),
        params.models,
        dict(snakemake.output.items()),
        settings=Names(**params.names),
        clustering=Clustering(**params.clustering),
        evaluation=Evaluation(**params.evaluation),
        encoder=params.encoder,
        pretrained=(
            Pretrained(**params.pretrained, lock=snakemake.resources.weights_lock)
            if params.encoder
            else None
        ),
    )
    name_card(snakemake.output.md, params.card)
