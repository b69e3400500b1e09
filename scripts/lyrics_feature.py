"""A feature of lyrics, for every song: what its module in `songatlas.features` writes."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from pathlib import Path

    from songatlas.features import registry

    log.result = registry.write(
        snakemake.params.feature,
        registry.Job(
            {"tracks": Path(snakemake.input.tracks)},
            {name: Path(path) for name, path in snakemake.output.items()},
            snakemake.params.settings,
        ),
    )
