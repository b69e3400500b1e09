"""Confusion matrices of every representation's best clusterings, for language and for genre.

One job draws them all: starting a job takes longer than drawing a matrix.
"""

from songatlas.run.jobs import job, progress

with job(snakemake.log[0], snakemake.threads):
    from songatlas import tables
    from songatlas.clustering.views import of_view
    from songatlas.config.clustering import Clustering
    from songatlas.config.evaluation import Evaluation
    from songatlas.evaluation.comparison import compare, read_runs, together
    from songatlas.report.figures.confusion import best_confusions, confusion_figure
    from songatlas.report.figures.map import with_numbered_names
    from songatlas.report.figures.save import save

    source, target, params = snakemake.input, snakemake.output, snakemake.params
    labels = with_numbered_names(tables.read(source.labels, tables.LABELS))
    clustering, evaluation = Clustering(**params.clustering), Evaluation(**params.evaluation)
    files = zip(params.models, source.clusters, source.scores, target.svg, target.png, strict=True)
    for model, clusters, scores, svg, png in progress(list(files), "Drawing", unit="model"):
        comparison = compare(
            together(read_runs([model], [scores], [clusters])),
            labels,
            clustering=clustering,
            evaluation=evaluation,
            corpus_name=params.corpus_name,
        )
        figure = confusion_figure(
            model,
            best_confusions(
                of_view(tables.read(clusters, tables.CLUSTERS)),
                of_view(tables.read(scores, tables.SCORES)),
                labels,
                comparison,
                tasks=("language", "genre"),
            ),
            corpus_name=params.corpus_name,
        )
        save(
            figure,
            svg,
            png,
            dpi=params.figures["png_dpi"],
            title=f"{model}: clusters against labels",
            description=params.corpus_name,
            card=params.card,
        )
