"""The reference study's tables about the corpus, from this run's."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas import tables
    from songatlas.paper.corpus_sheets import corpus_sheets
    from songatlas.paper.files import write_sheets
    from songatlas.paper.published import read_published

    write_sheets(
        corpus_sheets(
            tables.read(snakemake.input.tracks, tables.TRACKS),
            tables.read(snakemake.input.labels, tables.LABELS),
            tables.read(snakemake.input.windows, tables.WINDOWS),
            read_published(),
            snakemake.params.corpus_name,
        ),
        snakemake.output,
        card=snakemake.params.card,
    )
