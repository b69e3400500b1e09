"""The run's own words, each with those of near meaning."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.words.meaning import write_vocabulary

    log.result = write_vocabulary(dict(snakemake.input.items()), snakemake.output[0])
