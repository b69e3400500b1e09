"""The comparison as JSON and CSV, and the training curves as CSV, for DVC."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    import pandas as pd

    from songatlas.clustering.views import named_by_view
    from songatlas.run.versions.metrics import write_bars, write_curves, write_metrics

    params, output = snakemake.params, snakemake.output
    comparison = pd.read_csv(snakemake.input.comparison, keep_default_na=False, na_values=[""])
    comparison = named_by_view(comparison)
    write_metrics(comparison, output.metrics)
    for task, path in zip(params.tasks, output.comparison, strict=True):
        write_bars(comparison, task, path)
    # Histories come model by model, each with all its seeds.
    per_model = len(params.seeds)
    for number, path in enumerate(output.curves):
        write_curves(snakemake.input.histories[number * per_model :][:per_model], path)
