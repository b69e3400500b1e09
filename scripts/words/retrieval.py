"""The table of retrieval: how well audio and lyrics of a song find each other."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas import tables
    from songatlas.words.joint import encoded_pairs
    from songatlas.words.scores import write_retrieval

    source, target = snakemake.input, snakemake.output
    windows = tables.read(source.windows, tables.WINDOWS, columns=["window_id", "track_id"])
    published = {}
    for name, feature, words in zip(
        snakemake.params.encoders, snakemake.params.features, source.words, strict=True
    ):
        parts = [path for path in source.encoded if f"/{feature}/" in path]
        published[name] = encoded_pairs(parts, windows, words)
    write_retrieval(
        source.audio,
        source.lyrics,
        source.songs,
        set(windows["track_id"]),
        published=published,
        csv=target.csv,
        md=target.md,
        tex=target.tex,
        card=snakemake.params.card,
    )
