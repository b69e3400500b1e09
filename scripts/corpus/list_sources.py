"""The songs of a corpus, before any of them is opened."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas import tables
    from songatlas.corpus.readers import read

    reader, path = snakemake.params.reader, snakemake.params.path
    found = read(reader, path)
    listing = {"listing": snakemake.params.listing}
    tables.write(found.sources, snakemake.output.sources, tables.SOURCES, listing)
    tables.write(found.rejects, snakemake.output.rejects, tables.REJECTS)
    tables.write(found.warnings, snakemake.output.warnings, tables.WARNINGS)
    for note in found.notes:
        log.info("%s", note)
    log.info(
        "%s at %s: %d songs, %d rejects, %d warnings",
        reader,
        path,
        len(found.sources),
        len(found.rejects),
        len(found.warnings),
    )
