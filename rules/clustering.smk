"""Clusters and scores, one job per model and seed; which clusters go on from the run before."""


rule clusters:
    """Cluster latents at every level and in every view, and score the clusterings."""
    input:
        unpack(latents_to_cluster),
        labels=corpus_table("classes"),
    output:
        clusters=reads_its_own(plan.path("clusters", "{model}", "seed-{seed}.parquet")),
        scores=plan.path("scores", "{model}", "seed-{seed}.parquet"),
        continuity=plan.path("clusters", "{model}", "continuity-{seed}.parquet"),
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


rule continuity_table:
    """Which cluster continues which, since each clustering was last made."""
    input:
        clusters=plan.branch_files(
            "clusters/{model}/continuity-{seed}.parquet", plan.first_branches
        ),
        consensus=[] if plan.folds else plan.consensus_files("-continuity.parquet"),
    output:
        report(
            plan.path("tables", "continuity.csv"),
            caption="captions/continuity.rst",
            category="Tables",
            labels={"table": "continuity of clusters"},
        ),
    log:
        plan.path("logs", "continuity_table.log"),
    benchmark:
        plan.path("benchmarks", "continuity_table.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        code=code_of("continuity_table"),
    message:
        "Listing which clusters go on"
    script:
        "../scripts/continuity_table.py"
