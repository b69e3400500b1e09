"""The disentanglement of all models in one table."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.evaluation.disentanglement_table import write_table

    write_table(
        snakemake.input,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        card=snakemake.params.card,
        models=snakemake.params.models,
        corpus_name=snakemake.params.corpus_name,
    )
