"""What became of every input, over all stages."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas import tables
    from songatlas.corpus.result import concat
    from songatlas.report.fates import fates

    def read(paths, table):
        return concat((tables.read(path, table) for path in paths), table)

    frame = fates(
        tables.read(snakemake.input.sources, tables.SOURCES),
        tables.read(snakemake.input.tracks, tables.TRACKS),
        read(snakemake.input.rejects, tables.REJECTS),
        read(snakemake.input.warnings, tables.WARNINGS),
    )
    with tables.atomic(snakemake.output[0]) as temporary:
        frame.to_csv(temporary, index=False)
    counts = frame.drop_duplicates("path")["fate"].value_counts()
    log.info("%s", ", ".join(f"{fate}: {count}" for fate, count in counts.items()))
