"""Synthesise the demo corpus: 48 songs with time-stamped lyrics, from a seed."""

from songatlas.run.jobs import job

with job(snakemake.log[0], 1):
    from pathlib import Path

    from songatlas.demo.demo import synthesise

    synthesise(Path(snakemake.output.songs).parent, snakemake.threads, seed=snakemake.params.seed)
