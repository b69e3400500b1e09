"""Provenance and metrics of a run, and the targets of its stages."""


rule provenance:
    """The provenance card: code, config, corpus, lock, seeds, devices, versions and times."""
    input:
        tables=[*all_tables(), *html_pages()],
        figures=[*all_figures("svg"), *all_figures("png")],
        corpus=lambda wildcards: [
            getattr(corpus_output(), name)
            for name in ("tracks", "labels", "windows", "lines", "notes", "rejects", "warnings")
        ],
        weights=plan.branch_files("models/{model}/seed-{seed}/weights.ckpt", plan.trained),
        summaries=plan.branch_files("models/{model}/seed-{seed}/summary.json", plan.trained),
    output:
        card=report(
            plan.card,
            caption="captions/provenance.rst",
            category="Provenance",
        ),
        config=plan.path("config.yaml"),
    log:
        plan.path("logs", "provenance.log"),
    benchmark:
        plan.path("benchmarks", "provenance.tsv")
    conda:
        "../envs/analysis.yaml"
    # Neither the commit nor a time is a parameter: they would make a finished run stale.
    params:
        config=plan.config.model_dump(mode="json"),
        code=code_of("provenance"),
    message:
        "Writing the provenance card"
    script:
        "../scripts/run/provenance.py"


rule metrics:
    """The comparison as JSON and CSV, and the training curves as CSV, which DVC reads."""
    input:
        comparison=plan.path("tables", "comparison.csv"),
        histories=plan.branch_files("models/{model}/seed-{seed}/history.parquet", plan.trained),
    output:
        metrics=plan.path("metrics.json"),
        comparison=[
            plan.path("plots", "comparison", f"{task}.csv")
            for task in plan.config.evaluation.tasks
        ],
        curves=[plan.path("plots", "training", f"{model}.csv") for model in plan.models],
    log:
        plan.path("logs", "metrics.log"),
    benchmark:
        plan.path("benchmarks", "metrics.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        seeds=plan.config.seeds,
        tasks=plan.config.evaluation.tasks,
        code=code_of("metrics"),
    message:
        "Writing metrics and training curves"
    script:
        "../scripts/run/metrics.py"


rule corpus_tables:
    """Every table of the corpus."""
    input:
        lambda wildcards: [
            path
            for value in vars(corpus_output()).values()
            for path in ([value] if isinstance(value, str) else value)
        ],


rule features:
    """Every feature that the selected models and baselines read."""
    input:
        *(part for feature in sorted(plan.features) for part in plan.parts(feature)),
        *plan.problem_files("rejects"),
        *plan.problem_files("warnings"),
        near_copies(),


for name in plan.models:

    rule:
        name:
            f"train_{name}"
        input:
            plan.branch_files(
                "models/{model}/seed-{seed}/weights.ckpt",
                [(name, seed) for seed in plan.config.seeds],
            ),


rule all_latents:
    """Vectors of every branch."""
    input:
        plan.branch_files("latents/{model}/seed-{seed}.parquet", plan.branches),
