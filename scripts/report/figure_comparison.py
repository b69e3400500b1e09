"""NMI of every representation per task, with intervals, chance and the best of everything tried."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    import pandas as pd

    from songatlas import tables
    from songatlas.clustering.views import named_by_view
    from songatlas.report.figures.comparison import (
        class_counts,
        clustered_songs,
        comparison_figure,
        intervals,
        read_comparison,
    )
    from songatlas.report.figures.save import save

    evaluation = snakemake.params.evaluation
    scores = pd.concat([tables.read(path, tables.SCORES) for path in snakemake.input.scores])
    scores = named_by_view(scores)
    labels = tables.read(snakemake.input.labels, tables.LABELS)
    classes = class_counts(clustered_songs(snakemake.input.clusters), labels, evaluation["tasks"])
    figure = comparison_figure(
        named_by_view(read_comparison(snakemake.input.table)),
        intervals(scores, classes, evaluation["summary_algorithms"]),
        corpus_name=snakemake.params.corpus_name,
        tasks=evaluation["tasks"],
    )
    save(
        figure,
        snakemake.output.svg,
        snakemake.output.png,
        dpi=snakemake.params.figures["png_dpi"],
        title="Agreement of clusters with labels",
        description=snakemake.params.corpus_name,
        card=snakemake.params.card,
    )
