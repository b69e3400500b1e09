"""Names for clusters."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.config.clustering import Clustering
    from songatlas.config.evaluation import Evaluation
    from songatlas.config.features import Pretrained
    from songatlas.config.words import Names
    from songatlas.run.versions.name_card import name_card
    from songatlas.words.write import write_names

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
