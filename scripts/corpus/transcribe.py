"""Transcripts of the songs of one shard that have no lyrics (or of all)."""

from songatlas.run.jobs import job, progress

with job(snakemake.log[0], snakemake.threads, gpus=snakemake.resources.gpu) as log:
    from songatlas import tables
    from songatlas.config.features import Pretrained
    from songatlas.config.words import Transcription
    from songatlas.corpus.probe import PROBED
    from songatlas.words.transcription.load import load_transcriber
    from songatlas.words.transcription.write import to_transcribe, write_transcripts

    params, output = snakemake.params, snakemake.output
    settings = Transcription(**params.transcription)
    pretrained = Pretrained(**params.pretrained, lock=snakemake.resources.weights_lock)
    songs = to_transcribe(
        tables.read(snakemake.input.sources, tables.SOURCES),
        tables.read(snakemake.input.probed, PROBED),
        settings.songs,
    )
    log.result = write_transcripts(
        progress(list(songs.itertuples(index=False)), "transcribing"),
        lambda: load_transcriber(settings.encoder, pretrained),
        settings,
        output.segments,
        output.songs,
    )
