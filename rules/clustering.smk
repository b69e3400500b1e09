"""Clusters and scores, consensus, which clusters go on from the run before."""


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
        "../scripts/clustering/clusters.py"


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
        "../scripts/clustering/continuity_table.py"


rule consensus:
    """Consensus over seeds and algorithms; one job per model."""
    input:
        latents=lambda wildcards: plan.branch_files(
            "latents/{model}/seed-{seed}.parquet",
            [branch for branch in plan.branches if branch[0] == wildcards.model],
        ),
        labels=corpus_table("classes"),
    output:
        consensus=reads_its_own(plan.path("analysis", "consensus", "{model}.parquet")),
        choice=plan.path("analysis", "consensus", "{model}-choice.parquet"),
        quality=plan.path("analysis", "consensus", "{model}-quality.parquet"),
        continuity=plan.path("analysis", "consensus", "{model}-continuity.parquet"),
    log:
        plan.path("logs", "consensus", "{model}.log"),
    benchmark:
        plan.path("benchmarks", "consensus", "{model}.tsv")
    wildcard_constraints:
        model=one_of(plan.first_names),
    conda:
        "../envs/analysis.yaml"
    params:
        model=lambda wildcards: wildcards.model,
        clustering=plan.section("clustering", "algorithms", "n_init", "gmm", "max_dim", "pca_dim"),
        consensus=plan.section("consensus"),
        evaluation=plan.section(
            "evaluation", "tasks", "evaluate_on", "permutations", "bootstraps", "seed"
        ),
        code=code_of("consensus"),
    message:
        "Consensus of {wildcards.model}"
    script:
        "../scripts/clustering/consensus.py"


rule consensus_tables:
    """One row per model, and one per cluster."""
    input:
        consensus=plan.consensus_files(".parquet"),
        choice=plan.consensus_files("-choice.parquet"),
        quality=plan.consensus_files("-quality.parquet"),
        labels=corpus_table("classes"),
    output:
        csv=report(
            plan.path("tables", "consensus.csv"),
            caption="captions/consensus.rst",
            category="Tables",
            labels={"page": "consensus", "as": "CSV"},
        ),
        md=plan.path("tables", "consensus.md"),
        tex=plan.path("tables", "consensus.tex"),
        quality=report(
            plan.path("tables", "cluster_quality.csv"),
            caption="captions/cluster_quality.rst",
            category="Tables",
            labels={"page": "quality of each cluster", "as": "CSV"},
        ),
    log:
        plan.path("logs", "consensus_tables.log"),
    benchmark:
        plan.path("benchmarks", "consensus_tables.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        evaluation=plan.section("evaluation", "tasks", "permutations", "bootstraps", "seed"),
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("consensus_tables"),
    message:
        "Gathering the consensus clusterings"
    script:
        "../scripts/clustering/consensus_tables.py"
