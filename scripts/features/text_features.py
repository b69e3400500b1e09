"""A vector per song by a text encoder of one baseline's own."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config.features import Lyrics
    from songatlas.features.lyrics.features import write_song_vectors

    write_song_vectors(
        snakemake.input.tracks,
        snakemake.output[0],
        snakemake.params.feature,
        Lyrics(**snakemake.params.lyrics),
        snakemake.params.seed,
    )
