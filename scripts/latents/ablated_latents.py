"""Latents of every window and song from one trained model, of one modality alone."""

from songatlas.run.jobs import job

with job(
    snakemake.log[0], snakemake.threads, keep_memory=True, gpus=snakemake.resources.gpu
) as log:
    from songatlas import tables
    from songatlas.config.training import Training
    from songatlas.latents.embed import write_latents
    from songatlas.training.control_notes import note
    from songatlas.training.controls import controlled
    from songatlas.training.data import read_inputs
    from songatlas.training.device import choose_device, embedding_precision
    from songatlas.training.weights import load_weights

    source, params = snakemake.input, snakemake.params
    training = Training(**params.training)
    device = choose_device(training.device)
    model, description = load_weights(source.weights, device)
    if model is None:
        log.warning("%s: %s", params.model, description.note)
        metadata = {"model": params.model, "supervision": "none", "note": description.note}
        tables.write(
            tables.empty(tables.LATENTS), snakemake.output.latents, tables.LATENTS, metadata
        )
    else:
        windows, _ = read_inputs(
            dict(source.items()),
            description.spec,
            seed=params.seed,
        )
        write_latents(
            model,
            controlled(windows, description.control, params.seed),
            snakemake.output.latents,
            name=params.model,
            device=device,
            precision=embedding_precision(training.precision, device),
            keep=params.modality,
            supervision=description.supervision,
            note=note(description.control, description.control_of),
        )
