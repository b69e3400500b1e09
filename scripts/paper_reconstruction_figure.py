"""Reconstruction loss against NMI, a point per model."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.figures.paper.reconstruction_scatter import reconstruction_figure
    from songatlas.figures.paper.score_figures import protocol_words
    from songatlas.figures.paper.write import write_figures
    from songatlas.paper.corpus_kind import corpus_kind
    from songatlas.paper.files import read_table
    from songatlas.paper.published import read_published

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
