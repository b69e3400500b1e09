"""Whether the songs that `assign` embedded still fit the map of the run."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.config import Assign
    from songatlas.incremental.branches import chosen
    from songatlas.incremental.drift_table import write_drift

    settings = Assign(**snakemake.params.assign)
    log.result = write_drift(
        chosen(snakemake.params.branches, settings),
        snakemake.input.latents,
        snakemake.output.drift,
        settings,
    )
