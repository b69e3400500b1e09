"""What a linear and a one-layer probe read from one model's vectors of songs."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config.evaluation import Probes
    from songatlas.evaluation.probes_table import write_probes

    write_probes(
        snakemake.input.latents,
        snakemake.input.classes,
        snakemake.input.factors,
        snakemake.output[0],
        model=snakemake.params.model,
        seed=snakemake.params.seed,
        settings=Probes(**snakemake.params.probes),
        near_copies=snakemake.input.get("near_copies") or None,
    )
