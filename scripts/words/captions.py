"""Captions of songs by ear, where they are believed."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.extras.by_ear import write_captions_by_ear

    log.result = write_captions_by_ear(
        snakemake.input.parts,
        snakemake.input.captions,
        listener=snakemake.params.listener,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
    )
