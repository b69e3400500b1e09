"""The provenance card of a run, and its config in full."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from pathlib import Path

    from songatlas.run.versions.card import write_card

    write_card(
        snakemake.output.card,
        snakemake.output.config,
        config=snakemake.params.config,
        corpus=snakemake.input.corpus,
        weights=snakemake.input.weights,
        summaries=snakemake.input.summaries,
        tables=snakemake.input.tables,
        figures=snakemake.input.figures,
        repository=Path(snakemake.scriptdir).parents[1],
    )
