"""How training went: a row per model, and a row per latent dimension."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.report.training_table import write_training_table
    from songatlas.run.versions.name_card import name_card

    write_training_table(
        snakemake.input.summaries,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        units=snakemake.output.units,
        corpus_name=snakemake.params.corpus_name,
    )
    for path in (snakemake.output.md, snakemake.output.tex):
        name_card(path, snakemake.params.card)
