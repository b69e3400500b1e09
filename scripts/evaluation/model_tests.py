"""Every pair of models: differences, intervals, effect sizes and tests."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config.clustering import Clustering
    from songatlas.config.evaluation import Evaluation
    from songatlas.evaluation.model_tests import write_model_tests

    write_model_tests(
        snakemake.input.scores,
        snakemake.input.clusters,
        snakemake.input.labels,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        card=snakemake.params.card,
        models=snakemake.params.models,
        clustering=Clustering(**snakemake.params.clustering),
        evaluation=Evaluation(**snakemake.params.evaluation),
        corpus_name=snakemake.params.corpus_name,
    )
