"""Tags of songs."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.words.tags import write_song_tags

    log.result = write_song_tags(
        snakemake.input.songs, snakemake.input.titles, snakemake.output.csv
    )
