"""The run's own words, each with those of near meaning."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.naming.meaning import write_vocabulary

    log.result = write_vocabulary(dict(snakemake.input.items()), snakemake.output[0])
