"""The table of modalities: what audio and lyrics each do to the clusters."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config.evaluation import Evaluation
    from songatlas.evaluation.modalities import write_modalities
    from songatlas.run.versions.name_card import name_card

    write_modalities(
        snakemake.input.clusters,
        snakemake.input.labels,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        evaluation=Evaluation(**snakemake.params.evaluation),
    )
    for path in (snakemake.output.md, snakemake.output.tex):
        name_card(path, snakemake.params.card)
