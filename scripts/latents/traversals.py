"""What one trained model decodes while single dimensions of its latent move."""

from songatlas.run.jobs import job

with job(
    snakemake.log[0], snakemake.threads, keep_memory=True, gpus=snakemake.resources.gpu
) as log:
    from songatlas.config.features import LogMel
    from songatlas.config.training import Training
    from songatlas.latents.embed import check_labels
    from songatlas.latents.traverse import write_no_traversal, write_traversal
    from songatlas.training.controls import controlled
    from songatlas.training.data import read_inputs
    from songatlas.training.device import choose_device
    from songatlas.training.weights import load_weights

    source, name, output = snakemake.input, snakemake.params.model, snakemake.output[0]
    device = choose_device(Training(**snakemake.params.training).device)
    model, description = load_weights(source.weights, device)
    if model is None:
        log.warning("%s: %s", name, description.note)
        write_no_traversal(output, description.spec, name=name, note=description.note)
    else:
        windows, _ = read_inputs(
            dict(source.items()),
            description.spec,
            condition_on=model.condition_on,
        )
        check_labels(description, windows)
        windows = controlled(windows, description.control, int(snakemake.wildcards.seed))
        logmel = LogMel(**snakemake.params.logmel)
        frame_rate_hz = logmel.sample_rate_hz / logmel.hop_length
        write_traversal(
            model, windows, output, name=name, frame_rate_hz=frame_rate_hz, device=device
        )
