"""The reference study's tables of scores, from this run's, and the scores behind them."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas import tables
    from songatlas.evaluation import layout
    from songatlas.evaluation.comparison import read_runs, together
    from songatlas.report.study.clusterings import clusterings
    from songatlas.report.study.corpus_sheets import corpus_kind
    from songatlas.report.study.files import read_table, write_sheets
    from songatlas.report.study.published import read_published
    from songatlas.report.study.score_sheets import Protocol, score_sheets

    given, evaluation = snakemake.params, snakemake.params.evaluation
    published = read_published()
    scores = clusterings(
        together(read_runs(given.models, snakemake.input.scores, snakemake.input.clusters)),
        tables.read(snakemake.input.labels, tables.LABELS),
        tasks=evaluation["tasks"],
        algorithms=evaluation["summary_algorithms"],
    )
    layout.write_csv(scores, snakemake.output.scores)
    how = Protocol(
        level=given.level,
        levels=given.clustering["levels"],
        algorithms=evaluation["summary_algorithms"],
        evaluate_on=evaluation["evaluate_on"],
        fit_on=evaluation["fit_on"],
        permutations=evaluation["permutations"],
        corpus=corpus_kind(read_table(snakemake.input.dataset), published),
        corpus_name=given.corpus_name,
        trained=frozenset(given.trained),
        controls=dict(given.controls),
    )
    write_sheets(
        score_sheets(read_table(snakemake.input.comparison), scores, published, how),
        snakemake.output.sheets,
        card=given.card,
    )
