"""Sounds that one trained model decodes: of clusters, journeys, single dimensions and windows."""

from songatlas.run.jobs import job

with job(
    snakemake.log[0], snakemake.threads, keep_memory=True, gpus=snakemake.resources.gpu
) as log:
    from pathlib import Path

    from songatlas import tables
    from songatlas.config.features import LogMel
    from songatlas.config.training import Training
    from songatlas.latents.embed import check_labels
    from songatlas.report.explorer.catalogue import texts
    from songatlas.report.explorer.sound_list import SoundList, write_list
    from songatlas.report.explorer.sounds import (
        heard_clusters,
        read_space,
        write_sounds,
    )
    from songatlas.training.controls import controlled
    from songatlas.training.data import read_inputs
    from songatlas.training.device import choose_device
    from songatlas.training.weights import load_weights
    from songatlas.words.write import NAMED

    source, name = snakemake.input, snakemake.params.model
    folder = Path(snakemake.output[0])
    device = choose_device(Training(**snakemake.params.training).device)
    model, description = load_weights(source.weights, device)
    if model is None:
        log.warning("%s: %s", name, description.note)
        write_list(SoundList(note=description.note), folder)
    else:
        windows, _ = read_inputs(
            dict(source.items()), description.spec, condition_on=model.condition_on
        )
        check_labels(description, windows)
        windows = controlled(windows, description.control, int(snakemake.wildcards.seed))
        latents = tables.read(source.latents, tables.LATENTS)
        latents = latents[latents["level"] == "window"]
        songs = tables.read(source.licences, tables.LABELS, columns=["track_id", "license"])
        licences = dict(zip(songs["track_id"], texts(songs["license"]), strict=True))
        named = tables.read(source.named, NAMED) if source.get("named") else tables.empty(NAMED)
        clusters = tables.read(source.clusters, tables.CLUSTERS)
        clustering, cluster_of = heard_clusters(name, named, clusters)
        moved = tables.read_metadata(source.traversal) if source.get("traversal") else {}
        dimensions = dict(zip(moved.get("dimensions", []), moved.get("nats", []), strict=True))
        number = write_sounds(
            model,
            read_space(windows, latents, licences),
            folder,
            clustering=clustering,
            cluster_of=cluster_of,
            dimensions=dimensions,
            reconstructions=snakemake.params.reconstructions,
            logmel=LogMel(**snakemake.params.logmel),
            device=device,
        )
        log.result = f"{number} sounds of {name}"
