"""Tables of numbers: comparison, tests, leakage, disentanglement, probes."""


rule comparison:
    """One row per model, task, level and view, sorted."""
    input:
        scores=plan.branch_files("scores/{model}/seed-{seed}.parquet", plan.branches),
        clusters=plan.branch_files("clusters/{model}/seed-{seed}.parquet", plan.branches),
        labels=corpus_table("classes"),
    output:
        csv=report(
            plan.path("tables", "comparison.csv"),
            caption="captions/comparison_table.rst",
            category="Tables",
            labels={"page": "comparison", "as": "CSV"},
        ),
        md=plan.path("tables", "comparison.md"),
        tex=plan.path("tables", "comparison.tex"),
        txt=plan.path("tables", "comparison.txt"),
    log:
        plan.path("logs", "comparison.log"),
    benchmark:
        plan.path("benchmarks", "comparison.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        models=plan.first_names,
        clustering=plan.section("clustering", "levels"),
        evaluation=plan.section(
            "evaluation",
            "tasks",
            "evaluate_on",
            "fit_on",
            "permutations",
            "summary_algorithms",
            "seed",
        ),
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("comparison"),
    message:
        "Comparing representations"
    script:
        "../scripts/evaluation/comparison.py"


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
        "../scripts/evaluation/changes_table.py"


rule modalities:
    """How much each modality moved the clusters, per task."""
    input:
        clusters=plan.branch_files(
            "clusters/{model}/seed-{seed}.parquet", plan.branches_of(plan.multimodal)
        ),
        labels=corpus_table("classes"),
    output:
        csv=report(
            plan.path("tables", "modalities.csv"),
            caption="captions/modalities.rst",
            category="Tables",
            labels={"page": "modalities", "as": "CSV"},
        ),
        md=plan.path("tables", "modalities.md"),
        tex=plan.path("tables", "modalities.tex"),
    log:
        plan.path("logs", "modalities.log"),
    benchmark:
        plan.path("benchmarks", "modalities.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        evaluation=plan.section("evaluation", "tasks", "permutations", "summary_algorithms", "seed"),
        card=plan.card,
        code=code_of("modalities"),
    message:
        "What each modality does to the clusters"
    script:
        "../scripts/evaluation/modalities.py"


rule leakage:
    """Every control whose windows are dealt at random, beside the model it controls."""
    input:
        latents=plan.branch_files("latents/{model}/seed-{seed}.parquet", plan.leakage_branches),
        summaries=plan.branch_files(
            "models/{model}/seed-{seed}/summary.json", plan.leakage_branches
        ),
        labels=corpus_table("classes"),
    output:
        csv=report(
            plan.path("tables", "leakage.csv"),
            caption="captions/leakage.rst",
            category="Tables",
            labels={"page": "leakage", "as": "CSV"},
        ),
        md=plan.path("tables", "leakage.md"),
        tex=plan.path("tables", "leakage.tex"),
    log:
        plan.path("logs", "leakage.log"),
    benchmark:
        plan.path("benchmarks", "leakage.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        pairs=plan.leaky,
        clustering=plan.section("clustering", "n_init", "gmm", "max_dim", "pca_dim"),
        evaluation=plan.section(
            "evaluation", "tasks", "permutations", "bootstraps", "summary_algorithms", "seed"
        ),
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("leakage"),
    message:
        "Measuring leakage"
    script:
        "../scripts/evaluation/leakage.py"


rule model_tests:
    """Every pair of models, compared over seeds and over songs."""
    input:
        scores=plan.branch_files("scores/{model}/seed-{seed}.parquet", plan.branches),
        clusters=plan.branch_files("clusters/{model}/seed-{seed}.parquet", plan.branches),
        labels=corpus_table("classes"),
    output:
        csv=report(
            plan.path("tables", "tests.csv"),
            caption="captions/model_tests.rst",
            category="Tables",
            labels={"page": "tests", "as": "CSV"},
        ),
        md=plan.path("tables", "tests.md"),
        tex=plan.path("tables", "tests.tex"),
    log:
        plan.path("logs", "model_tests.log"),
    benchmark:
        plan.path("benchmarks", "model_tests.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        models=plan.first_names,
        clustering=plan.section("clustering", "levels"),
        evaluation=plan.section(
            "evaluation",
            "tasks",
            "bootstraps",
            "summary_algorithms",
            "paired_test",
            "seed",
        ),
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("model_tests"),
    message:
        "Comparing models in pairs"
    script:
        "../scripts/evaluation/model_tests.py"


rule disentanglement:
    """MIG, SAP and DCI of one model's latents, and how its bound dimensions follow attributes."""
    input:
        unpack(disentanglement_inputs),
    output:
        plan.path("analysis", "disentanglement", "{model}", "seed-{seed}.parquet"),
    log:
        plan.path("logs", "disentanglement", "{model}-seed-{seed}.log"),
    benchmark:
        plan.path("benchmarks", "disentanglement", "{model}-seed-{seed}.tsv")
    wildcard_constraints:
        model=one_of(plan.first_names),
    conda:
        "../envs/torch.yaml"
    params:
        model=lambda wildcards: wildcards.model,
        seed=lambda wildcards: int(wildcards.seed),
        bound=lambda wildcards: plan.bound(wildcards.model),
        logmel=plan.section("logmel", "sample_rate_hz", "hop_length"),
        disentanglement=plan.section("disentanglement"),
        evaluation_seed=plan.config.evaluation.seed,
        code=code_of("disentanglement"),
    message:
        "Disentanglement of {wildcards.model}, seed {wildcards.seed}"
    script:
        "../scripts/evaluation/disentanglement.py"


rule disentanglement_table:
    """The disentanglement of every model and baseline."""
    input:
        plan.branch_files("analysis/disentanglement/{model}/seed-{seed}.parquet", plan.branches),
    output:
        csv=report(
            plan.path("tables", "disentanglement.csv"),
            caption="captions/disentanglement.rst",
            category="Tables",
            labels={"page": "disentanglement", "as": "CSV"},
        ),
        md=plan.path("tables", "disentanglement.md"),
        tex=plan.path("tables", "disentanglement.tex"),
    log:
        plan.path("logs", "disentanglement_table.log"),
    benchmark:
        plan.path("benchmarks", "disentanglement_table.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        models=plan.first_names,
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("disentanglement_table"),
    message:
        "Gathering disentanglement"
    script:
        "../scripts/evaluation/disentanglement_table.py"


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
        "../scripts/evaluation/probing.py"


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
        "../scripts/evaluation/probes_table.py"


rule probes:
    """The table of probes."""
    input:
        rules.probes_table.output,
