"""Latents of every window and song from one trained model, and a few reconstructions."""

from songatlas.run.jobs import job

with job(
    snakemake.log[0], snakemake.threads, keep_memory=True, gpus=snakemake.resources.gpu
) as log:
    from songatlas.config.training import Training
    from songatlas.latents.embed import (
        check_labels,
        write_latents,
        write_nothing,
        write_reconstruction,
    )
    from songatlas.training.control_notes import note
    from songatlas.training.controls import controlled
    from songatlas.training.data import read_inputs
    from songatlas.training.device import choose_device, embedding_precision
    from songatlas.training.weights import load_weights

    source, name, output = snakemake.input, snakemake.params.model, snakemake.output
    training = Training(**snakemake.params.training)
    device = choose_device(training.device)
    model, description = load_weights(source.weights, device)
    if model is None:
        log.warning("%s: %s", name, description.note)
        write_nothing(output.latents, output.reconstruction, description, name=name)
    else:
        windows, _ = read_inputs(
            dict(source.items()),
            description.spec,
            condition_on=model.condition_on,
            seed=snakemake.params.seed,
        )
        check_labels(description, windows)
        windows = controlled(windows, description.control, snakemake.params.seed)
        write_latents(
            model,
            windows,
            output.latents,
            name=name,
            device=device,
            precision=embedding_precision(training.precision, device),
            supervision=description.supervision,
            note=note(description.control, description.control_of),
        )
        write_reconstruction(model, windows, output.reconstruction, name=name, device=device)
