"""Tables about training: what it came to, and what each change of a model did to it."""


rule training_table:
    """A row per model: epochs, losses, KL, active units, time and memory."""
    input:
        summaries=plan.branch_files("models/{model}/seed-{seed}/summary.json", plan.trained),
    output:
        csv=report(
            plan.path("tables", "training.csv"),
            caption="captions/training_table.rst",
            category="Tables",
            labels={"page": "training", "as": "CSV"},
        ),
        md=plan.path("tables", "training.md"),
        tex=plan.path("tables", "training.tex"),
        units=plan.path("tables", "latent_units.csv"),
    log:
        plan.path("logs", "training_table.log"),
    benchmark:
        plan.path("benchmarks", "training_table.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("training_table"),
    message:
        "Writing the training table"
    script:
        "../scripts/training_table.py"


rule changes_table:
    """A row per model that says what it changes against the one before it."""
    input:
        comparison=rules.comparison.output.csv,
        summaries=plan.branch_files("models/{model}/seed-{seed}/summary.json", plan.changed),
    output:
        csv=report(
            plan.path("tables", "changes.csv"),
            caption="captions/changes_table.rst",
            category="Tables",
            labels={"page": "changes", "as": "CSV"},
        ),
        md=plan.path("tables", "changes.md"),
        tex=plan.path("tables", "changes.tex"),
    log:
        plan.path("logs", "changes_table.log"),
    benchmark:
        plan.path("benchmarks", "changes_table.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        changes=plan.changes,
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("changes_table"),
    message:
        "Writing the table of changes"
    script:
        "../scripts/changes_table.py"
