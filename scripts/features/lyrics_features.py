"""Lyrics embeddings: of songs, of windows, and of the lines in each window."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config.features import Lyrics
    from songatlas.features.lyrics.features import write_lyrics_features

    write_lyrics_features(
        snakemake.input.tracks,
        snakemake.input.windows,
        snakemake.output.song,
        snakemake.output.song_lines,
        snakemake.output.window,
        snakemake.output.lines,
        Lyrics(**snakemake.params.lyrics),
        snakemake.params.seed,
    )
