"""Models compared in pairs, under the reference study's names."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.evaluation.columns import TESTS
    from songatlas.report.study.files import read_optional, write_sheets
    from songatlas.report.study.pairwise import pairwise_sheet
    from songatlas.report.study.published import read_published

    tests = read_optional(snakemake.input.tests, TESTS)
    given = snakemake.params
    write_sheets(
        [pairwise_sheet(tests, read_published(), given.level, given.corpus_name)],
        snakemake.output,
        card=given.card,
    )
