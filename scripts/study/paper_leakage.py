"""What splitting windows instead of songs adds to the score."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.evaluation.columns import LEAKAGE
    from songatlas.report.study.figures.leakage import leakage_figure, leakage_rows
    from songatlas.report.study.figures.write import write_figures
    from songatlas.report.study.files import read_optional
    from songatlas.report.study.published import read_published

    given = snakemake.params
    rows = leakage_rows(read_optional(snakemake.input.leakage, LEAKAGE), read_published())
    write_figures(
        {"leakage": leakage_figure(rows, corpus_name=given.corpus_name)},
        [snakemake.output.svg, snakemake.output.png],
        dpi=given.figures["png_dpi"],
        corpus_name=given.corpus_name,
        card=given.card,
    )
