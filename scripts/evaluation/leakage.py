"""What splitting windows instead of songs does to every score."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config.clustering import Clustering
    from songatlas.config.evaluation import Evaluation
    from songatlas.evaluation.leakage import write_leakage
    from songatlas.run.versions.name_card import name_card

    write_leakage(
        snakemake.input.latents,
        snakemake.input.summaries,
        snakemake.input.labels,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        pairs=snakemake.params.pairs,
        clustering=Clustering(**snakemake.params.clustering),
        evaluation=Evaluation(**snakemake.params.evaluation),
        corpus_name=snakemake.params.corpus_name,
    )
    for path in (snakemake.output.md, snakemake.output.tex):
        name_card(path, snakemake.params.card)
