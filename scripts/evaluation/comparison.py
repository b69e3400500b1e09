"""The comparison table: one row per model, task, level and view."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.config.clustering import Clustering
    from songatlas.config.evaluation import Evaluation
    from songatlas.evaluation.comparison import write_comparison

    text = write_comparison(
        snakemake.input.scores,
        snakemake.input.clusters,
        snakemake.input.labels,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        card=snakemake.params.card,
        txt=snakemake.output.txt,
        models=snakemake.params.models,
        clustering=Clustering(**snakemake.params.clustering),
        evaluation=Evaluation(**snakemake.params.evaluation),
        corpus_name=snakemake.params.corpus_name,
    )
    log.info("comparison table\n%s", text)
