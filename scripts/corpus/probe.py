"""Identity, duration and format of the songs of one shard."""

from songatlas.run.jobs import job, progress

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas import tables
    from songatlas.corpus.probe import PROBED, probe_sources, shard_rows

    sources = tables.read(snakemake.input.sources, tables.SOURCES)
    mine = shard_rows(sources, snakemake.params.shard, snakemake.params.shards)
    songs = progress(list(mine.itertuples(index=False)), f"probe {snakemake.params.shard}")
    probed = probe_sources(mine, songs)
    tables.write(probed, snakemake.output.probed, PROBED)
    log.result = f"{len(probed)} songs, {int(probed['reject'].notna().sum())} rejected"
