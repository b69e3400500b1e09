"""Tables about the protocol: what leaks between windows of a song, which differences are real."""


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
        "../scripts/leakage.py"


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
        "../scripts/model_tests.py"
