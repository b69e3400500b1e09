"""The reference study's figures of scores: ranking, tasks, six scores, algorithms, heat map."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.report.study.figures.score_figures import score_figures
    from songatlas.report.study.figures.write import write_figures
    from songatlas.report.study.files import read_table
    from songatlas.report.study.published import read_published

    given = snakemake.params
    write_figures(
        score_figures(
            ranking=read_table(snakemake.input.ranking),
            summary=read_table(snakemake.input.summary),
            scores=read_table(snakemake.input.scores),
            dataset=read_table(snakemake.input.dataset),
            published=read_published(),
            level=given.level,
            evaluate_on=given.evaluation["evaluate_on"],
            controls=dict(given.controls),
            corpus_name=given.corpus_name,
        ),
        [*snakemake.output.svg, *snakemake.output.png],
        dpi=given.figures["png_dpi"],
        corpus_name=given.corpus_name,
        card=given.card,
    )
