"""Latents of a baseline that is a pretrained encoder: the layer that the config names."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.baselines.layers import write_encoder_latents
    from songatlas.config import Baseline, Clustering

    write_encoder_latents(
        snakemake.input.features,
        snakemake.input.windows,
        snakemake.input.tracks,
        snakemake.input.get("labels"),
        snakemake.output.latents,
        name=snakemake.params.name,
        seed=snakemake.params.seed,
        baseline=Baseline(**snakemake.params.baseline),
        clustering=Clustering(**snakemake.params.clustering),
        evaluate_on=snakemake.params.evaluate_on,
    )
