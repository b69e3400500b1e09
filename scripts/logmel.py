"""Log-mel spectrograms of the windows of one shard (librosa's definition; raw dB, float16)."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads, keep_memory=True) as log:
    from songatlas.audio.logmel import write_logmel
    from songatlas.config import LogMel

    log.result = write_logmel(
        snakemake.input.shard,
        snakemake.output[0],
        snakemake.params.windows["length_s"],
        LogMel(**snakemake.params.logmel),
        snakemake.output.rejects,
        snakemake.output.warnings,
    )
