"""New songs in the clusters of a finished run, without training; novel ones are flagged."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from pathlib import Path

    from songatlas.config import Assign, Clustering, Windows
    from songatlas.incremental.assign import Outputs, assign_songs
    from songatlas.incremental.branches import chosen
    from songatlas.incremental.finished import Finished

    settings = Assign(**snakemake.params.assign)
    log.result = assign_songs(
        Finished(Path(snakemake.params.run), snakemake.params.near_copies),
        chosen(snakemake.params.branches, settings),
        settings,
        Windows(**snakemake.params.windows),
        snakemake.params.features,
        Clustering(**snakemake.params.clustering),
        snakemake.params.fitted_on,
        Outputs(**dict(snakemake.output.items())),
    )
