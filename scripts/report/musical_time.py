"""Musical time of one shard's songs: beats, loudness and timbre 20 times a second."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.features.audio.musical_time import write_musical_time

    log.result = write_musical_time(snakemake.input.shard, snakemake.output[0])
