"""Whether the dimensions of one model's latents stand for one known factor each."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config.evaluation import Disentanglement
    from songatlas.config.features import LogMel
    from songatlas.evaluation.disentanglement_table import (
        window_attributes_of,
        write_disentanglement,
    )

    params, attributes = snakemake.params, None
    if params.bound:
        logmel = LogMel(**params.logmel)
        frame_rate_hz = logmel.sample_rate_hz / logmel.hop_length
        attributes = window_attributes_of(snakemake.input.logmel, list(params.bound), frame_rate_hz)
    write_disentanglement(
        snakemake.input.latents,
        snakemake.input.factors,
        snakemake.output[0],
        model=params.model,
        seed=params.seed,
        settings=Disentanglement(**params.disentanglement),
        evaluation_seed=params.evaluation_seed,
        bound=params.bound,
        attributes=attributes,
    )
