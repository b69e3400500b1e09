"""A window's log-mel spectrogram above its reconstruction by one model."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas import tables
    from songatlas.config import LogMel
    from songatlas.figures.reconstruction import first_pair, reconstruction_figure, window_of
    from songatlas.figures.save import save

    window_id, pair = first_pair(snakemake.input.reconstruction)
    window = window_of(
        window_id,
        tables.read(snakemake.input.windows, tables.WINDOWS),
        tables.read(snakemake.input.labels, tables.LABELS),
    )
    figure = reconstruction_figure(
        pair,
        LogMel(**snakemake.params.logmel),
        model=snakemake.params.model,
        window=window,
        corpus_name=snakemake.params.corpus_name,
    )
    save(
        figure,
        snakemake.output.svg,
        snakemake.output.png,
        dpi=snakemake.params.figures["png_dpi"],
        title=f"Reconstruction by {snakemake.params.model}",
        description=snakemake.params.corpus_name,
    )
