"""The disentanglement of all models in one table."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.evaluation.disentanglement_table import write_table
    from songatlas.run.versions.name_card import name_card

    write_table(
        snakemake.input,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        models=snakemake.params.models,
        corpus_name=snakemake.params.corpus_name,
    )
    for path in (snakemake.output.md, snakemake.output.tex):
        name_card(path, snakemake.params.card)
