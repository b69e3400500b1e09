"""One part of a feature: what its module in `songatlas.features` writes, of a shard or of songs."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads, keep_memory=True) as log:
    from pathlib import Path

    from songatlas.config import feature_registry as registry

    table = snakemake.params.table
    log.result = registry.write(
        snakemake.params.feature,
        registry.Job(
            {table: Path(snakemake.input[table])},
            {name: Path(path) for name, path in snakemake.output.items()},
            snakemake.params.settings,
        ),
    )
