"""The consensus table, one row per model, and the table of all clusters."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config.evaluation import Evaluation
    from songatlas.evaluation.consensus_table import read_results, write_tables

    write_tables(
        read_results(snakemake.input.consensus, snakemake.input.choice, snakemake.input.quality),
        snakemake.input.labels,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        card=snakemake.params.card,
        quality=snakemake.output.quality,
        evaluation=Evaluation(**snakemake.params.evaluation),
        corpus_name=snakemake.params.corpus_name,
    )
