"""A window's log-mel spectrogram above its reconstruction, by every trained model."""

from songatlas.run.jobs import job, progress

with job(snakemake.log[0], snakemake.threads):
    from songatlas import tables
    from songatlas.config.features import LogMel
    from songatlas.report.figures.reconstruction import (
        first_pair,
        no_reconstruction_figure,
        reconstruction_figure,
        why_nothing,
        window_of,
    )
    from songatlas.report.figures.save import save

    source, target, params = snakemake.input, snakemake.output, snakemake.params
    logmel = LogMel(**params.logmel)
    windows = tables.read(source.windows, tables.WINDOWS)
    titles = tables.read(source.labels, tables.LABELS)
    files = zip(params.models, source.reconstruction, target.svg, target.png, strict=True)
    for model, path, svg, png in progress(list(files), "Drawing", unit="model"):
        names = {"model": model, "corpus_name": params.corpus_name}
        found = first_pair(path)
        if found is None:
            figure = no_reconstruction_figure(why_nothing(path), **names)
        else:
            window_id, pair = found
            window = window_of(window_id, windows, titles)
            figure = reconstruction_figure(pair, logmel, window=window, **names)
        save(
            figure,
            svg,
            png,
            dpi=params.figures["png_dpi"],
            title=f"Reconstruction by {model}",
            description=params.corpus_name,
            card=params.card,
        )
