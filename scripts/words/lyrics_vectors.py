"""Lyrics in the joint space of a published encoder of audio and texts."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads, gpus=snakemake.resources.gpu) as log:
    from songatlas.config.features import Pretrained
    from songatlas.words.encoded import write_lyrics_vectors

    params = snakemake.params
    log.result = write_lyrics_vectors(
        snakemake.input.songs,
        snakemake.output[0],
        encoder=params.encoder,
        settings=Pretrained(**params.pretrained, lock=snakemake.resources.weights_lock),
        max_lines=params.max_lines,
    )
