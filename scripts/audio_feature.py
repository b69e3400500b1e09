"""A feature of audio, for one shard: what its module in `songatlas.features` writes."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads, keep_memory=True) as log:
    from pathlib import Path

    from songatlas.features import registry

    log.result = registry.write(
        snakemake.params.feature,
        registry.Job(
            {"shard": Path(snakemake.input.shard)},
            {name: Path(path) for name, path in snakemake.output.items()},
            snakemake.params.settings,
        ),
    )
