"""The table of modalities: what audio and lyrics each do to the clusters."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config import Clustering, Evaluation
    from songatlas.evaluation.modalities import write_modalities
    from songatlas.versioning.name_card import name_card

    write_modalities(
        {name: snakemake.input[name] for name in ("full", "mel", "lyrics")},
        snakemake.input.labels,
        csv=snakemake.output.csv,
        md=snakemake.output.md,
        tex=snakemake.output.tex,
        gates=snakemake.output.gates,
        clustering=Clustering(**snakemake.params.clustering),
        evaluation=Evaluation(**snakemake.params.evaluation),
    )
    for path in (snakemake.output.md, snakemake.output.tex):
        name_card(path, snakemake.params.card)
