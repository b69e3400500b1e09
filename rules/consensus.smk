"""Consensus clusterings of songs, the suggested number of clusters, and the quality of each."""


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
        "../scripts/consensus.py"


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
        "../scripts/consensus_tables.py"


rule figure_choice_of_k:
    """Stability, silhouette, gap and BIC of every number of clusters."""
    input:
        choice=plan.consensus_files("-choice.parquet"),
    output:
        svg=report(
            plan.path("figures", "choice_of_k.svg"),
            caption="captions/choice_of_k.rst",
            category="Comparison",
            labels={"figure": "choice of k"},
        ),
        png=plan.path("figures", "choice_of_k.png"),
    log:
        plan.path("logs", "figure_choice_of_k.log"),
    benchmark:
        plan.path("benchmarks", "figure_choice_of_k.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        corpus_name=plan.corpus_name,
        figures=plan.section("figures", "png_dpi"),
        card=plan.card,
        code=code_of("figure_choice_of_k"),
    message:
        "Drawing the choice of k"
    script:
        "../scripts/figure_choice_of_k.py"
