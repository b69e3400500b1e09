"""The reference study's tables about the corpus, from this run's."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas import tables
    from songatlas.corpus.shared_splits import shared_splits
    from songatlas.report.study.corpus_sheets import corpus_sheets
    from songatlas.report.study.files import write_sheets
    from songatlas.report.study.published import read_published

    near_copies = snakemake.input.get("near_copies") or None
    tracks = tables.read(snakemake.input.tracks, tables.TRACKS)
    windows = tables.read(snakemake.input.windows, tables.WINDOWS)
    write_sheets(
        corpus_sheets(
            shared_splits(tracks, near_copies),
            tables.read(snakemake.input.labels, tables.LABELS),
            shared_splits(windows, near_copies),
            read_published(),
            snakemake.params.corpus_name,
        ),
        snakemake.output,
        card=snakemake.params.card,
    )
