"""Tables that compare representations."""


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
        "../scripts/comparison.py"


rule architectures:
    """Parameters and key feature of every selected model; needs no corpus."""
    output:
        csv=report(
            plan.path("tables", "architectures.csv"),
            caption="captions/architectures.rst",
            category="Tables",
            labels={"page": "architectures", "as": "CSV"},
        ),
        md=plan.path("tables", "architectures.md"),
        tex=plan.path("tables", "architectures.tex"),
    log:
        plan.path("logs", "architectures.log"),
    benchmark:
        plan.path("benchmarks", "architectures.tsv")
    conda:
        "../envs/torch.yaml"
    params:
        models=plan.declared_models(),
        pretrained=plan.pretrained_rows,
        spec=plan.spec(*plan.models),
        card=plan.card,
        code=lambda wildcards: plan.code_of_models("architectures", *plan.models),
    message:
        "Counting parameters"
    script:
        "../scripts/architectures.py"
