"""Train one model with one seed: weights, training curves, summary."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads, keep_memory=True) as log:
    import shutil
    import sys
    from dataclasses import replace

    from songatlas.config import Compute, Loss, Training
    from songatlas.errors import NotApplicable
    from songatlas.models.base import InputSpec
    from songatlas.training.controls import controlled
    from songatlas.training.data import read_inputs
    from songatlas.training.fit import in_words, not_trained, train
    from songatlas.training.weights import Description

    source, params, output = snakemake.input, snakemake.params, snakemake.output
    # Not a parameter: what is watched while a model trains does not make it another model.
    watched = Compute(**snakemake.config.get("compute", {})).tensorboard
    declared, training, loss = params.declared, Training(**params.training), Loss(**params.loss)
    description = Description(
        declared["architecture"],
        InputSpec(**params.spec),
        declared["latent_dim"],
        dict(params.options),
        control=declared["control"],
        control_of=declared["control_of"],
    )
    try:
        windows, spec = read_inputs(
            dict(source.items()),
            description.spec,
            condition_on=params.options.get("condition_on"),
            seed=params.seed,
        )
        trained = train(
            controlled(windows, description.control, params.seed),
            replace(description, spec=spec),
            training,
            loss,
            name=params.model,
            beta=declared["beta"],
            seed=params.seed,
            resume_folder=params.resume,
            resume_every_s=snakemake.resources.save_every_s,
            identity=params.code,
            progress_bar=sys.stderr.isatty(),
            tensorboard=params.tensorboard if watched else None,
        )
    except NotApplicable as reason:
        log.warning("%s: %s", params.model, reason)
        trained = not_trained(
            description, training, loss, name=params.model, seed=params.seed, note=str(reason)
        )
    trained.write(output.weights, output.history, output.summary)
    log.result = in_words(trained.summary)
    shutil.rmtree(params.resume, ignore_errors=True)
