"""Spectrograms that one model decodes along the dimensions of its latent."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas import tables
    from songatlas.figures.reconstruction import window_of
    from songatlas.figures.save import save
    from songatlas.figures.traversal import (
        names_of,
        no_traversal_figure,
        read_traversal,
        traversal_figure,
    )

    source, params = snakemake.input, snakemake.params
    called = {"model": params.model, "corpus_name": params.corpus_name}
    traversal = read_traversal(source.traversal)
    if isinstance(traversal, str):
        figure = no_traversal_figure(traversal, **called)
    else:
        names = names_of(
            traversal,
            tables.read(source.latents, tables.LATENTS),
            tables.read(source.factors, tables.LABELS),
        )
        window = window_of(
            traversal.window_id,
            tables.read(source.windows, tables.WINDOWS),
            tables.read(source.titles, tables.LABELS),
        )
        figure = traversal_figure(traversal, names, window=window, **called)
    save(
        figure,
        snakemake.output.svg,
        snakemake.output.png,
        dpi=params.figures["png_dpi"],
        title=f"Latent traversal of {params.model}",
        description=params.corpus_name,
        card=params.card,
    )
