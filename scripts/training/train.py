"""Train one model with one seed: weights, training curves, summary."""

from songatlas.run.jobs import job

with job(
    snakemake.log[0], snakemake.threads, keep_memory=True, gpus=snakemake.resources.gpu
) as log:
    import shutil
    from pathlib import Path

    from songatlas.config.training import Compute, Trainer
    from songatlas.training.launch import launch
    from songatlas.training.request import Request, fulfil

    params, processes = snakemake.params, Trainer(**snakemake.params.trainer)
    # Not parameters: what is watched while a model trains does not make it another model.
    compute = Compute(**snakemake.config.get("compute", {}))
    resume = str(Path(compute.resume_path or ".") / params.resume)
    request = Request(
        inputs={
            name: files if isinstance(files, str) else list(files)
            for name, files in snakemake.input.items()
        },
        outputs={name: str(path) for name, path in snakemake.output.items()},
        model=params.model,
        declared=dict(params.declared),
        options=dict(params.options),
        spec=dict(params.spec),
        training=dict(params.training),
        loss=dict(params.loss),
        seed=params.seed,
        resume=resume,
        save_every_s=snakemake.resources.save_every_s,
        code=params.code,
        tensorboard=params.tensorboard if compute.tensorboard else None,
    )
    if processes.processes > 1:
        log.result = launch(request, processes, log=snakemake.log[0], threads=snakemake.threads)
    else:
        log.result = fulfil(request)
    shutil.rmtree(resume, ignore_errors=True)
