"""Reconstruction loss against NMI, a point per model."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.report.study.corpus_sheets import corpus_kind
    from songatlas.report.study.figures.reconstruction_scatter import reconstruction_figure
    from songatlas.report.study.figures.score_figures import protocol_words
    from songatlas.report.study.figures.write import write_figures
    from songatlas.report.study.files import read_table
    from songatlas.report.study.published import read_published

    given = snakemake.params
    figure = reconstruction_figure(
        read_table(snakemake.input.points),
        read_table(snakemake.input.correlations),
        corpus=corpus_kind(read_table(snakemake.input.dataset), read_published()),
        corpus_name=given.corpus_name,
        words=protocol_words(given.level, given.evaluation["evaluate_on"]),
    )
    write_figures(
        {"reconstruction": figure},
        [snakemake.output.svg, snakemake.output.png],
        dpi=given.figures["png_dpi"],
        corpus_name=given.corpus_name,
        card=given.card,
    )
