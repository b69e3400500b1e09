"""Probes: what simple predictors read from every representation."""


rule probing:
    """A linear and a one-layer probe of one model's vectors of songs."""
    input:
        latents=plan.path("latents", "{model}", "seed-{seed}.parquet"),
        classes=corpus_table("classes"),
        factors=corpus_table("factors"),
        near_copies=near_copies(),
    output:
        plan.path("analysis", "probes", "{model}", "seed-{seed}.parquet"),
    log:
        plan.path("logs", "probing", "{model}-seed-{seed}.log"),
    benchmark:
        plan.path("benchmarks", "probing", "{model}-seed-{seed}.tsv")
    wildcard_constraints:
        model=one_of(plan.first_names),
    conda:
        "../envs/analysis.yaml"
    params:
        model=lambda wildcards: wildcards.model,
        seed=lambda wildcards: int(wildcards.seed),
        probes=plan.section("probes", "tasks", "folds", "hidden", "seed"),
        code=code_of("probing"),
    message:
        "Probing {wildcards.model}, seed {wildcards.seed}"
    script:
        "../scripts/probing.py"


rule probes_table:
    """The probes of every model and baseline."""
    input:
        plan.branch_files("analysis/probes/{model}/seed-{seed}.parquet", plan.branches),
    output:
        csv=report(
            plan.path("tables", "probes.csv"),
            caption="captions/probes.rst",
            category="Tables",
            labels={"page": "probes", "as": "CSV"},
        ),
        md=plan.path("tables", "probes.md"),
        tex=plan.path("tables", "probes.tex"),
    log:
        plan.path("logs", "probes_table.log"),
    benchmark:
        plan.path("benchmarks", "probes_table.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        models=plan.first_names,
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("probes_table"),
    message:
        "Gathering probes"
    script:
        "../scripts/probes_table.py"


rule probes:
    """The table of probes."""
    input:
        rules.probes_table.output,
