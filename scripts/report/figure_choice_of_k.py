"""The criteria by which the number of clusters was suggested, per model."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.report.figures.choice_of_k import choice_figure, read_choice
    from songatlas.report.figures.save import save

    save(
        choice_figure(
            [read_choice(path) for path in snakemake.input.choice],
            corpus_name=snakemake.params.corpus_name,
        ),
        snakemake.output.svg,
        snakemake.output.png,
        dpi=snakemake.params.figures["png_dpi"],
        title="Choice of the number of clusters",
        description=snakemake.params.corpus_name,
        card=snakemake.params.card,
    )
