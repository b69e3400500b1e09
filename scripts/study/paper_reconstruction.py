"""Whether models that reconstruct better cluster better."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.evaluation import layout
    from songatlas.report.study.files import read_table, write_sheets
    from songatlas.report.study.published import read_published
    from songatlas.report.study.reconstruction import points, reconstruction_sheet
    from songatlas.report.training_table import read_summaries

    given = snakemake.params
    scores = read_table(snakemake.input.scores)
    scores = scores[(scores["level"] == given.level) & ~scores["model"].isin(dict(given.controls))]
    found = points(read_summaries(snakemake.input.summaries), scores, read_published())
    layout.write_csv(found, snakemake.output.points)
    write_sheets(
        [reconstruction_sheet(found, given.corpus_name, given.level)],
        snakemake.output.sheets,
        card=given.card,
    )
