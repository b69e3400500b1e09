"""Whether the songs that `assign` embedded still fit the map of the run."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from pathlib import Path

    from songatlas.config import Assign, Clustering
    from songatlas.incremental.branches import chosen
    from songatlas.incremental.drift_table import write_drift
    from songatlas.incremental.finished import Finished

    settings = Assign(**snakemake.params.assign)
    log.result = write_drift(
        Finished(Path(snakemake.params.run), snakemake.params.near_copies),
        chosen(snakemake.params.branches, settings),
        snakemake.input.latents,
        snakemake.output.drift,
        settings,
        Clustering(**snakemake.params.clustering),
    )
