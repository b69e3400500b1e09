"""What splitting windows instead of songs does to every score."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config.clustering import Clustering
    from songatlas.config.evaluation import Evaluation
    from songatlas.evaluation.leakage import write_leakage

    write_leakage(
        snakemake.input.latents,
        snakemake.input.summaries,
        snakemake.input.labels,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        card=snakemake.params.card,
        pairs=snakemake.params.pairs,
        clustering=Clustering(**snakemake.params.clustering),
        evaluation=Evaluation(**snakemake.params.evaluation),
        corpus_name=snakemake.params.corpus_name,
    )
