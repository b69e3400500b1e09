"""Timbre, harmony and rhythm descriptors of the windows of one shard."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads, keep_memory=True) as log:
    from songatlas.audio.descriptors import write_descriptors
    from songatlas.config import LogMel

    log.result = write_descriptors(
        snakemake.input.shard,
        snakemake.output[0],
        snakemake.params.windows["length_s"],
        LogMel(**snakemake.params.logmel),
        snakemake.output.rejects,
        snakemake.output.warnings,
    )
