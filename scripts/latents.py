"""Latents of every window and song from one trained model, and a few reconstructions."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.config import Training
    from songatlas.training.data import read_windows
    from songatlas.training.device import choose_device
    from songatlas.training.embed import (
        check_labels,
        write_latents,
        write_nothing,
        write_reconstruction,
    )
    from songatlas.training.weights import load_weights

    source, name, output = snakemake.input, snakemake.params.model, snakemake.output
    device = choose_device(Training(**snakemake.params.training).device)
    model, description = load_weights(source.weights, device)
    if model is None:
        log.warning("%s: %s", name, description.note)
        write_nothing(output.latents, output.reconstruction, description, name=name)
    else:
        windows, _ = read_windows(
            source.windows,
            source.logmel,
            description.spec,
            labels=source.get("labels"),
            condition_on=model.condition_on,
            lyrics_window=source.get("lyrics_window"),
            lyrics_lines=source.get("lyrics_lines"),
            descriptors=source.get("descriptors"),
            tracks=source.get("tracks"),
            lyrics_song=source.get("lyrics_song"),
            lyrics_song_lines=source.get("lyrics_song_lines"),
            seed=snakemake.params.seed,
        )
        check_labels(description, windows)
        write_latents(model, windows, output.latents, name=name, device=device)
        write_reconstruction(model, windows, output.reconstruction, name=name, device=device)
