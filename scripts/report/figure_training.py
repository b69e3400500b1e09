"""Training curves of every model: loss, the epoch that was kept, KL and active units."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.report.figures.save import save
    from songatlas.report.figures.training_curves import read_run, training_figure

    runs = [
        read_run(history, summary)
        for history, summary in zip(snakemake.input.history, snakemake.input.summary, strict=True)
    ]
    save(
        training_figure(runs, corpus_name=snakemake.params.corpus_name),
        snakemake.output.svg,
        snakemake.output.png,
        dpi=snakemake.params.figures["png_dpi"],
        title="Training curves",
        description=snakemake.params.corpus_name,
        card=snakemake.params.card,
    )
