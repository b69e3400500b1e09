"""The reference study's figures of scores: ranking, tasks, six scores, algorithms, heat map."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.figures.paper.score_figures import score_figures
    from songatlas.figures.paper.write import write_figures
    from songatlas.paper.files import read_table
    from songatlas.paper.published import read_published

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
