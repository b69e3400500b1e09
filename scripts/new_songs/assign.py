"""New songs in the clusters of a finished run, without training; novel ones are flagged."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from pathlib import Path

    from songatlas.config.clustering import Clustering
    from songatlas.config.corpus import Windows
    from songatlas.config.new_songs import Assign
    from songatlas.new_songs.assign import Outputs, assign_songs
    from songatlas.new_songs.branches import chosen
    from songatlas.new_songs.finished import Finished

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
