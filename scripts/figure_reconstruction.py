"""A window's log-mel spectrogram above its reconstruction by one model."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas import tables
    from songatlas.config import LogMel
    from songatlas.figures.reconstruction import (
        first_pair,
        no_reconstruction_figure,
        reconstruction_figure,
        why_nothing,
        window_of,
    )
    from songatlas.figures.save import save

    path, params = snakemake.input.reconstruction, snakemake.params
    names = {"model": params.model, "corpus_name": params.corpus_name}
    found = first_pair(path)
    if found is None:
        figure = no_reconstruction_figure(why_nothing(path), **names)
    else:
        window_id, pair = found
        window = window_of(
            window_id,
            tables.read(snakemake.input.windows, tables.WINDOWS),
            tables.read(snakemake.input.labels, tables.LABELS),
        )
        figure = reconstruction_figure(pair, LogMel(**params.logmel), window=window, **names)
    save(
        figure,
        snakemake.output.svg,
        snakemake.output.png,
        dpi=snakemake.params.figures["png_dpi"],
        title=f"Reconstruction by {snakemake.params.model}",
        description=snakemake.params.corpus_name,
        card=snakemake.params.card,
    )
