"""Latents of one baseline, from all parts of the feature that it needs."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config.clustering import Clustering
    from songatlas.config.models import Baseline
    from songatlas.latents.baselines import write_baseline_latents

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
