"""How training went: a row per model, and a row per latent dimension."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.report.training_table import write_training_table

    write_training_table(
        snakemake.input.summaries,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        card=snakemake.params.card,
        units=snakemake.output.units,
        corpus_name=snakemake.params.corpus_name,
    )
