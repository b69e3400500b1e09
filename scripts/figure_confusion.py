"""Confusion matrices of one representation's best clusterings, for language and for genre."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas import tables
    from songatlas.figures.confusion import best_confusions, confusion_figure
    from songatlas.figures.save import save

    figure = confusion_figure(
        snakemake.params.model,
        best_confusions(
            tables.read(snakemake.input.clusters, tables.CLUSTERS),
            tables.read(snakemake.input.scores, tables.SCORES),
            tables.read(snakemake.input.labels, tables.LABELS),
            tasks=("language", "genre"),
        ),
        corpus_name=snakemake.params.corpus_name,
    )
    save(
        figure,
        snakemake.output.svg,
        snakemake.output.png,
        dpi=snakemake.params.figures["png_dpi"],
        title=f"{snakemake.params.model}: clusters against labels",
        description=snakemake.params.corpus_name,
    )
