"""Which clusters of every representation continue which, for readers."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.evaluation.continuity_table import continuity_table
    from songatlas.evaluation.layout import write_csv

    frame = continuity_table([*snakemake.input.clusters, *snakemake.input.get("consensus", [])])
    write_csv(frame, snakemake.output[0])
