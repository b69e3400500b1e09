"""Confusion matrices of one representation's best clusterings, for language and for genre."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas import tables
    from songatlas.config import Clustering, Evaluation
    from songatlas.evaluation.comparison import compare, read_runs
    from songatlas.figures.confusion import best_confusions, confusion_figure
    from songatlas.figures.save import save

    model, scores, clusters = (
        snakemake.params.model,
        snakemake.input.scores,
        snakemake.input.clusters,
    )
    labels = tables.read(snakemake.input.labels, tables.LABELS)
    figure = confusion_figure(
        model,
        best_confusions(
            tables.read(clusters, tables.CLUSTERS),
            tables.read(scores, tables.SCORES),
            labels,
            # This run's own rows: another model's change must not redraw this figure.
            compare(
                read_runs([model], [scores], [clusters]),
                labels,
                clustering=Clustering(**snakemake.params.clustering),
                evaluation=Evaluation(**snakemake.params.evaluation),
                corpus_name=snakemake.params.corpus_name,
            ),
            tasks=("language", "genre"),
        ),
        corpus_name=snakemake.params.corpus_name,
    )
    save(
        figure,
        snakemake.output.svg,
        snakemake.output.png,
        dpi=snakemake.params.figures["png_dpi"],
        title=f"{model}: clusters against labels",
        description=snakemake.params.corpus_name,
        card=snakemake.params.card,
    )
