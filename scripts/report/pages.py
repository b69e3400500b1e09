"""The summary and every Markdown table as pages, which a browser and the report can show."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.report.page import write_pages

    write_pages(snakemake.input, snakemake.output)
    log.result = f"{len(snakemake.output)} pages"
