"""What splitting windows instead of songs adds to the score."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.figures.paper.leakage import leakage_figure
    from songatlas.figures.paper.score_figures import protocol_words
    from songatlas.figures.paper.write import write_figures
    from songatlas.paper.files import read_optional
    from songatlas.paper.leakage import COLUMNS

    given = snakemake.params
    figure = leakage_figure(
        read_optional(snakemake.input.leakage, COLUMNS),
        corpus_name=given.corpus_name,
        words=protocol_words(given.level, given.evaluation["evaluate_on"]),
    )
    write_figures(
        {"leakage": figure},
        [snakemake.output.svg, snakemake.output.png],
        dpi=given.figures["png_dpi"],
        corpus_name=given.corpus_name,
        card=given.card,
    )
