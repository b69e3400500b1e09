"""Captions for songs, of what was measured."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.words.write import write_captions

    log.result = write_captions(dict(snakemake.input.items()), snakemake.output.csv)
