"""The table of modalities: what audio and lyrics each do to the clusters."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config.evaluation import Evaluation
    from songatlas.evaluation.modalities import write_modalities

    write_modalities(
        snakemake.input.clusters,
        snakemake.input.labels,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        card=snakemake.params.card,
        evaluation=Evaluation(**snakemake.params.evaluation),
    )
