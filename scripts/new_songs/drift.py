"""Whether the songs that `assign` embedded still fit the map of the run."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.config.new_songs import Assign
    from songatlas.new_songs.branches import chosen
    from songatlas.new_songs.drift_table import write_drift

    settings = Assign(**snakemake.params.assign)
    log.result = write_drift(
        chosen(snakemake.params.branches, settings),
        snakemake.input.latents,
        snakemake.output.drift,
        settings,
    )
