"""Every layer of a pretrained encoder, for the windows of one shard."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads, gpus=snakemake.resources.gpu) as log:
    from pathlib import Path

    from songatlas.config.features import Pretrained
    from songatlas.features.encoders.features import write_encoder_feature

    log.result = write_encoder_feature(
        snakemake.input.shard,
        snakemake.output.part,
        snakemake.output.rejects,
        snakemake.output.warnings,
        name=snakemake.params.encoder,
        settings=Pretrained(
            **snakemake.params.pretrained,
            lock=snakemake.resources.weights_lock,
            batch_size=snakemake.resources.clips_at_once,
        ),
        length_s=snakemake.params.windows["length_s"],
        adapter=Path(snakemake.input.adapter).parent if snakemake.input.get("adapter") else None,
    )
