"""Latents of a baseline that is a pretrained encoder: the layer that the config names."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config.clustering import Clustering
    from songatlas.config.models import Baseline
    from songatlas.evaluation.layers import write_encoder_latents

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
