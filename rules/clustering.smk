"""Clusters and scores: one job per model and seed."""


rule clusters:
    """Cluster latents at every level and score the clusterings."""
    input:
        latents=plan.path("latents", "{model}", "seed-{seed}.parquet"),
        labels=corpus_table("classes"),
    output:
        clusters=plan.path("clusters", "{model}", "seed-{seed}.parquet"),
        scores=plan.path("scores", "{model}", "seed-{seed}.parquet"),
    log:
        plan.path("logs", "clusters", "{model}-seed-{seed}.log"),
    benchmark:
        plan.path("benchmarks", "clusters", "{model}-seed-{seed}.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        model=lambda wildcards: wildcards.model,
        seed=lambda wildcards: int(wildcards.seed),
        clustering=plan.section("clustering"),
        evaluation=plan.section(
            "evaluation", "tasks", "evaluate_on", "fit_on", "permutations", "bootstraps", "seed"
        ),
        code=code_of("clusters"),
    message:
        "Clustering {wildcards.model}, seed {wildcards.seed}"
    script:
        "../scripts/clusters.py"
