"""The corpus tables: tracks, labels, windows, lines, notes, rejects, warnings, and the shards."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas import tables
    from songatlas.config.corpus import Split, Windows
    from songatlas.corpus.build import build_corpus, write_corpus
    from songatlas.corpus.probe import PROBED
    from songatlas.corpus.result import concat
    from songatlas.corpus.views import write_views
    from songatlas.words.transcription.tables import SEGMENTS, SONGS, with_transcripts

    sources = tables.read(snakemake.input.sources, tables.SOURCES)
    if snakemake.input.segments:
        sources = with_transcripts(
            sources,
            concat((tables.read(path, SEGMENTS) for path in snakemake.input.segments), SEGMENTS),
            concat((tables.read(path, SONGS) for path in snakemake.input.heard), SONGS),
        )
    corpus = build_corpus(
        sources,
        concat((tables.read(path, PROBED) for path in snakemake.input.probed), PROBED),
        tables.read(snakemake.input.rejects, tables.REJECTS),
        tables.read(snakemake.input.warnings, tables.WARNINGS),
        Windows(**snakemake.params.windows),
        Split(**snakemake.params.split),
        snakemake.params.corpus_path,
        snakemake.params.detect_language,
    )
    names = ("tracks", "labels", "windows", "lines", "notes", "rejects", "warnings")
    outputs = {name: getattr(snakemake.output, name) for name in names}
    write_corpus(corpus, outputs, snakemake.output.shards)
    names = ("songs", "audio_windows", "language", "genre")
    names += ("classes", "shown", "titles", "factors")
    outputs = {name: getattr(snakemake.output, name) for name in names}
    write_views(corpus, outputs, snakemake.output.contents)
    counted = ("tracks", "windows", "rejects", "warnings")
    log.result = ", ".join(f"{len(getattr(corpus, name))} {name}" for name in counted)
