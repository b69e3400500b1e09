"""Playlists of named clusters."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.words.playlists import write_playlists

    params = snakemake.params
    log.result = write_playlists(
        dict(snakemake.input.items()), params.models, snakemake.output[0], params.model
    )
