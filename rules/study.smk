"""The tables and figures of the reference study."""


rule paper_corpus:
    """The study's tables about the corpus, beside what it published."""
    input:
        tracks=corpus_table("tracks"),
        labels=corpus_table("labels"),
        windows=corpus_table("windows"),
        near_copies=near_copies(),
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
        code=code_of("paper_corpus"),
    message:
        "The study's tables about the corpus"
    script:
        "../scripts/study/paper_corpus.py"


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
        code=code_of("paper_models"),
    message:
        "The study's tables about models"
    script:
        "../scripts/study/paper_models.py"


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
        models=plan.first_names,
        trained=plan.models,
        controls=plan.controls,
        level=plan.config.paper.level,
        clustering=plan.section("clustering", "levels"),
        evaluation=plan.section(
            "evaluation", "tasks", "evaluate_on", "fit_on", "permutations", "summary_algorithms"
        ),
        published=plan.digest("published"),
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("paper_scores"),
    message:
        "The study's tables of scores"
    script:
        "../scripts/study/paper_scores.py"


rule paper_pairwise:
    """Models compared in pairs, under the study's names."""
    input:
        tests=[rules.model_tests.output.csv] if len(plan.first_branches) > 1 else [],
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
        code=code_of("paper_pairwise"),
    message:
        "The study's comparison of models in pairs"
    script:
        "../scripts/study/paper_pairwise.py"


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
        code=code_of("paper_reconstruction"),
    message:
        "Reconstruction loss against NMI"
    script:
        "../scripts/study/paper_reconstruction.py"


rule paper_figures:
    """The study's figures of scores."""
    input:
        ranking=plan.path("tables", "paper_ranking.csv"),
        summary=plan.path("tables", "paper_clustering_summary.csv"),
        scores=rules.paper_scores.output.scores,
        dataset=plan.path("tables", "paper_dataset.csv"),
    output:
        svg=[
            report(
                path,
                caption="captions/paper_figures.rst",
                category="The study's figures",
                labels={"figure": Path(path).stem.replace("_", " ")},
            )
            for path in paper_figures("svg", *PAPER_FIGURES)
        ],
        png=paper_figures("png", *PAPER_FIGURES),
    log:
        plan.path("logs", "paper_figures.log"),
    benchmark:
        plan.path("benchmarks", "paper_figures.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        figures=plan.section("figures", "png_dpi"),
        level=plan.config.paper.level,
        evaluation=plan.section("evaluation", "evaluate_on"),
        controls=plan.controls,
        published=plan.digest("published"),
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("paper_figures"),
    message:
        "Drawing the study's figures of scores"
    script:
        "../scripts/study/paper_figures.py"


rule paper_reconstruction_figure:
    """Reconstruction loss against NMI, a point per model."""
    input:
        points=rules.paper_reconstruction.output.points,
        correlations=plan.path("tables", "paper_reconstruction.csv"),
        dataset=plan.path("tables", "paper_dataset.csv"),
    output:
        svg=report(
            plan.path("figures", "paper", "reconstruction.svg"),
            caption="captions/paper_reconstruction_figure.rst",
            category="The study's figures",
            labels={"figure": "reconstruction against NMI"},
        ),
        png=plan.path("figures", "paper", "reconstruction.png"),
    log:
        plan.path("logs", "paper_reconstruction_figure.log"),
    benchmark:
        plan.path("benchmarks", "paper_reconstruction_figure.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        figures=plan.section("figures", "png_dpi"),
        level=plan.config.paper.level,
        evaluation=plan.section("evaluation", "evaluate_on"),
        published=plan.digest("published"),
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("paper_reconstruction_figure"),
    message:
        "Drawing reconstruction loss against NMI"
    script:
        "../scripts/study/paper_reconstruction_figure.py"


rule paper_leakage:
    """What splitting windows instead of songs adds to the score."""
    input:
        leakage=[rules.leakage.output.csv] if plan.leaky else [],
    output:
        svg=report(
            plan.path("figures", "paper", "leakage.svg"),
            caption="captions/paper_leakage.rst",
            category="The study's figures",
            labels={"figure": "leakage"},
        ),
        png=plan.path("figures", "paper", "leakage.png"),
    log:
        plan.path("logs", "paper_leakage.log"),
    benchmark:
        plan.path("benchmarks", "paper_leakage.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        figures=plan.section("figures", "png_dpi"),
        published=plan.digest("published"),
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("paper_leakage"),
    message:
        "Drawing leakage"
    script:
        "../scripts/study/paper_leakage.py"


rule paper_tsne:
    """t-SNE of every representation, coloured by language and by genre."""
    input:
        latents=plan.branch_files("latents/{model}/seed-{seed}.parquet", plan.first_branches),
        labels=corpus_table("shown"),
    output:
        projections=plan.path("analysis", "tsne.parquet"),
        svg=[
            report(
                path,
                caption="captions/paper_tsne.rst",
                category="Maps",
                labels={"map": f"t-SNE {Path(path).stem}"},
            )
            for path in map_figures("svg", "paper", "tsne")
        ],
        png=map_figures("png", "paper", "tsne"),
    log:
        plan.path("logs", "paper_tsne.log"),
    benchmark:
        plan.path("benchmarks", "paper_tsne.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        names=plan.first_names,
        figures=plan.section("figures", "tsne_perplexity", "png_dpi"),
        seed=plan.config.evaluation.seed,
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("paper_tsne"),
    message:
        "Drawing t-SNE maps"
    script:
        "../scripts/study/paper_tsne.py"


rule paper_questions:
    """The study's four questions, answered with the numbers of this run."""
    input:
        ranking=plan.path("tables", "paper_ranking.csv"),
        pairs=plan.path("tables", "paper_pairwise.csv"),
        leakage=[rules.leakage.output.csv] if plan.leaky else [],
        correlations=plan.path("tables", "paper_reconstruction.csv"),
        methods=plan.path("tables", "paper_methods.csv"),
        method_pairs=plan.path("tables", "paper_methods_pairs.csv"),
        dataset=plan.path("tables", "paper_dataset.csv"),
    output:
        plan.path("report", "questions.md"),
    log:
        plan.path("logs", "paper_questions.log"),
    benchmark:
        plan.path("benchmarks", "paper_questions.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        run=plan.config.run,
        seeds=plan.config.seeds,
        level=plan.config.paper.level,
        evaluation=plan.section("evaluation", "evaluate_on", "summary_algorithms"),
        published=plan.digest("published"),
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("paper_questions"),
    message:
        "Answering the study's questions"
    script:
        "../scripts/study/paper_questions.py"


rule paper:
    """Every table and figure of the reference study, and its questions."""
    input:
        *all_paper_tables(),
        *all_paper_figures("svg"),
        *map_figures("svg"),
        *(path for _, path in each_figure("confusion", "svg", plan.first_names)),
        *(path for _, path in each_figure("reconstruction", "svg", plan.of_spectrograms)),
        *([plan.path("figures", "training.svg")] if plan.models else []),
