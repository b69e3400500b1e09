"""Train one model with one seed: weights, training curves, summary."""

from songatlas.jobs import job

with job(snakemake.log[0], snakemake.threads):
    import shutil
    import sys

    from songatlas.config import Loss, Training
    from songatlas.models.base import InputSpec
    from songatlas.training.data import read_windows
    from songatlas.training.fit import train
    from songatlas.training.weights import Description

    source, params, output = snakemake.input, snakemake.params, snakemake.output
    windows, spec = read_windows(
        source.windows,
        source.logmel,
        InputSpec(**params.spec),
        labels=source.get("labels"),
        condition_on=params.options.get("condition_on"),
        lyrics_window=source.get("lyrics_window"),
        lyrics_lines=source.get("lyrics_lines"),
    )
    trained = train(
        windows,
        Description(params.architecture, spec, params.latent_dim, dict(params.options)),
        Training(**params.training),
        Loss(**params.loss),
        name=params.model,
        beta=params.beta,
        seed=params.seed,
        resume_folder=params.resume,
        identity=params.code,
        progress_bar=sys.stderr.isatty(),
    )
    trained.write(output.weights, output.history, output.summary)
    shutil.rmtree(params.resume, ignore_errors=True)
