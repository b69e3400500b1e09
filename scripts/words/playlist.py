"""A playlist that was asked for."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.config.words import Playlist
    from songatlas.words.playlists import write_playlist

    params, target = snakemake.params, snakemake.output
    log.result = write_playlist(
        dict(snakemake.input.items()),
        params.models,
        Playlist(**params.playlist),
        target.m3u,
        target.csv,
    )
