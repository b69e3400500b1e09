"""Spectrograms that every VAE decodes along the dimensions of its latent."""

from songatlas.run.jobs import job, progress

with job(snakemake.log[0], snakemake.threads):
    from songatlas import tables
    from songatlas.report.figures.reconstruction import window_of
    from songatlas.report.figures.save import save
    from songatlas.report.figures.traversal import (
        names_of,
        no_traversal_figure,
        read_traversal,
        traversal_figure,
    )

    source, target, params = snakemake.input, snakemake.output, snakemake.params
    factors = tables.read(source.factors, tables.LABELS)
    windows = tables.read(source.windows, tables.WINDOWS)
    titles = tables.read(source.titles, tables.LABELS)
    files = zip(
        params.models, source.traversals, source.latents, target.svg, target.png, strict=True
    )
    for model, path, latents, svg, png in progress(list(files), "Drawing", unit="model"):
        called = {"model": model, "corpus_name": params.corpus_name}
        traversal = read_traversal(path)
        if isinstance(traversal, str):
            figure = no_traversal_figure(traversal, **called)
        else:
            names = names_of(traversal, tables.read(latents, tables.LATENTS), factors)
            window = window_of(traversal.window_id, windows, titles)
            figure = traversal_figure(traversal, names, window=window, **called)
        save(
            figure,
            svg,
            png,
            dpi=params.figures["png_dpi"],
            title=f"Latent traversal of {model}",
            description=params.corpus_name,
            card=params.card,
        )
