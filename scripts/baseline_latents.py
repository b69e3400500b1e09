"""Latents of one baseline, from all parts of the feature that it needs."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.baselines.latents import write_baseline_latents
    from songatlas.config import Baseline, Clustering

    write_baseline_latents(
        snakemake.input.features,
        snakemake.input.windows,
        snakemake.input.tracks,
        snakemake.output.latents,
        songs=snakemake.input.get("songs", []),
        languages=snakemake.input.get("languages", []),
        name=snakemake.params.name,
        supervision=snakemake.params.supervision,
        seed=snakemake.params.seed,
        baseline=Baseline(**snakemake.params.baseline),
        clustering=Clustering(**snakemake.params.clustering),
        evaluate_on=snakemake.params.evaluate_on,
    )
