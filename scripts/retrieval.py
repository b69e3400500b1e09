"""The table of retrieval: how well audio and lyrics of a song find each other."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.retrieval.scores import write_retrieval
    from songatlas.versioning.name_card import name_card

    source, target = snakemake.input, snakemake.output
    write_retrieval(
        source.audio, source.lyrics, source.songs, csv=target.csv, md=target.md, tex=target.tex
    )
    for path in (target.md, target.tex):
        name_card(path, snakemake.params.card)
