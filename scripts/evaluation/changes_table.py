"""What each change does to the result, from one model to the next."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.report.changes_table import write_changes_table

    write_changes_table(
        snakemake.input.comparison,
        snakemake.input.summaries,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        card=snakemake.params.card,
        changes=snakemake.params.changes,
        corpus_name=snakemake.params.corpus_name,
    )
