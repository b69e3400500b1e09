"""The reference study's four questions, answered with the numbers of this run."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.evaluation.columns import LEAKAGE
    from songatlas.evaluation.layout import write_text
    from songatlas.report.study.corpus_sheets import corpus_kind
    from songatlas.report.study.files import read_optional, read_table
    from songatlas.report.study.published import read_published
    from songatlas.report.study.questions import Answers, questions
    from songatlas.run.versions.name_card import name_card

    given, published = snakemake.params, read_published()
    names = ("ranking", "pairs", "correlations", "methods", "method_pairs")
    answers = Answers(
        **{name: read_table(getattr(snakemake.input, name)) for name in names},
        leakage=read_optional(snakemake.input.leakage, LEAKAGE),
        published=published,
        corpus=corpus_kind(read_table(snakemake.input.dataset), published),
        corpus_name=given.corpus_name,
        run=given.run,
        seeds=list(given.seeds),
        level=given.level,
        evaluate_on=given.evaluation["evaluate_on"],
    )
    write_text(questions(answers), snakemake.output[0])
    name_card(snakemake.output[0], given.card)
