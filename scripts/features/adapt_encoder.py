"""LoRA weights of a pretrained encoder, trained on the windows of the training songs."""

from pathlib import Path

from songatlas.run.jobs import job

with job(
    snakemake.log[0], snakemake.threads, keep_memory=True, gpus=snakemake.resources.gpu
) as log:
    from songatlas.config.features import Adaptation, Pretrained
    from songatlas.extras.adapt import adapt, training_windows

    log.result = adapt(
        snakemake.params.encoder,
        Pretrained(
            **snakemake.params.pretrained,
            lock=snakemake.resources.weights_lock,
        ),
        Adaptation(**snakemake.params.adaptation),
        training_windows(snakemake.input.shards, snakemake.input.windows),
        snakemake.params.windows["length_s"],
        Path(snakemake.output.weights).parent,
    )
