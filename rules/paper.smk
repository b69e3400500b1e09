"""The reference study's tables, figures and questions: target `paper`."""


rule paper_corpus:
    """The study's tables about the corpus, beside what it published."""
    input:
        tracks=corpus_table("tracks"),
        labels=corpus_table("labels"),
        windows=corpus_table("windows"),
    output:
        paper_tables("dataset", "splits"),
        paper_tables("dataset_vs_published", "splits_vs_published"),
    log:
        plan.path("logs", "paper_corpus.log"),
    benchmark:
        plan.path("benchmarks", "paper_corpus.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        published=plan.digest("published"),
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=plan.code("paper_corpus"),
    message:
        "The study's tables about the corpus"
    script:
        "../scripts/paper_corpus.py"


rule paper_models:
    """The study's tables about architectures and training, beside what it published."""
    input:
        architectures=[rules.architectures.output.csv] if plan.models else [],
        summaries=plan.branch_files("models/{model}/seed-{seed}/summary.json", plan.trained),
        dataset=plan.path("tables", "paper_dataset.csv"),
    output:
        paper_tables("architectures", "training"),
        paper_tables("architectures_vs_published", "training_vs_published"),
    log:
        plan.path("logs", "paper_models.log"),
    benchmark:
        plan.path("benchmarks", "paper_models.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        published=plan.digest("published"),
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=plan.code("paper_models"),
    message:
        "The study's tables about models"
    script:
        "../scripts/paper_models.py"


rule paper_scores:
    """The study's tables of scores, beside what it published, and the scores behind them."""
    input:
        comparison=rules.comparison.output.csv,
        scores=plan.branch_files("scores/{model}/seed-{seed}.parquet", plan.branches),
        clusters=plan.branch_files("clusters/{model}/seed-{seed}.parquet", plan.branches),
        labels=corpus_table("classes"),
        dataset=plan.path("tables", "paper_dataset.csv"),
    output:
        scores=plan.path("tables", "paper_scores.csv"),
        sheets=paper_tables(*PAPER_SCORES),
    log:
        plan.path("logs", "paper_scores.log"),
    benchmark:
        plan.path("benchmarks", "paper_scores.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        models=[name for name, _ in plan.first_branches],
        trained=plan.models,
        controls=plan.controls,
        level=plan.config.paper.level,
        clustering=plan.section("clustering", "levels"),
        evaluation=plan.section(
            "evaluation", "tasks", "evaluate_on", "permutations", "summary_algorithms"
        ),
        published=plan.digest("published"),
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=plan.code("paper_scores"),
    message:
        "The study's tables of scores"
    script:
        "../scripts/paper_scores.py"


rule paper_pairwise:
    """Models compared in pairs, under the study's names."""
    input:
        tests=plan.path("tables", "tests.csv"),
    output:
        paper_tables("pairwise"),
    log:
        plan.path("logs", "paper_pairwise.log"),
    benchmark:
        plan.path("benchmarks", "paper_pairwise.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        level=plan.config.paper.level,
        published=plan.digest("published"),
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=plan.code("paper_pairwise"),
    message:
        "The study's comparison of models in pairs"
    script:
        "../scripts/paper_pairwise.py"


rule paper_reconstruction:
    """Reconstruction loss against NMI over models: correlations with intervals."""
    input:
        scores=rules.paper_scores.output.scores,
        summaries=plan.branch_files("models/{model}/seed-{seed}/summary.json", plan.trained),
    output:
        points=plan.path("tables", "paper_reconstruction_points.csv"),
        sheets=paper_tables("reconstruction"),
    log:
        plan.path("logs", "paper_reconstruction.log"),
    benchmark:
        plan.path("benchmarks", "paper_reconstruction.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        controls=plan.controls,
        level=plan.config.paper.level,
        published=plan.digest("published"),
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=plan.code("paper_reconstruction"),
    message:
        "Reconstruction loss against NMI"
    script:
        "../scripts/paper_reconstruction.py"
