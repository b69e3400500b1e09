"""Figures, each as SVG and PNG, marked for Snakemake's report."""


rule figure_comparison:
    """NMI of every representation with intervals and chance."""
    input:
        table=rules.comparison.output.csv,
        scores=plan.branch_files("scores/{model}/seed-{seed}.parquet", plan.branches),
        clusters=plan.branch_files("clusters/{model}/seed-{seed}.parquet", plan.branches),
        labels=corpus_table("classes"),
    output:
        svg=report(
            plan.path("figures", "comparison.svg"),
            caption="captions/comparison.rst",
            category="Comparison",
            labels={"figure": "comparison"},
        ),
        png=plan.path("figures", "comparison.png"),
    log:
        plan.path("logs", "figure_comparison.log"),
    benchmark:
        plan.path("benchmarks", "figure_comparison.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        corpus_name=plan.corpus_name,
        card=plan.card,
        figures=plan.section("figures", "png_dpi"),
        evaluation=plan.section("evaluation", "tasks", "summary_algorithms"),
        code=code_of("figure_comparison"),
    message:
        "Drawing the comparison"
    script:
        "../scripts/figure_comparison.py"


rule maps:
    """UMAP of every representation, coloured by language and by genre."""
    input:
        latents=plan.branch_files("latents/{model}/seed-{seed}.parquet", plan.first_branches),
        labels=corpus_table("classes"),
    output:
        projections=plan.path("projections.parquet"),
        svg=report(
            map_figures("svg"),
            caption="captions/map.rst",
            category="Maps",
        ),
        png=map_figures("png"),
    log:
        plan.path("logs", "maps.log"),
    benchmark:
        plan.path("benchmarks", "maps.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        names=[name for name, _ in plan.first_branches],
        corpus_name=plan.corpus_name,
        card=plan.card,
        figures=plan.section("figures", "umap_neighbors", "umap_min_dist", "png_dpi"),
        seed=plan.config.evaluation.seed,
        code=code_of("maps"),
    message:
        "Drawing the maps"
    script:
        "../scripts/maps.py"


rule figure_confusion:
    """Confusion matrix of a representation's best clustering."""
    input:
        clusters=lambda wildcards: first_branch("clusters", wildcards.model),
        scores=lambda wildcards: first_branch("scores", wildcards.model),
        labels=corpus_table("classes"),
    output:
        svg=report(
            plan.path("figures", "confusion", "{model}.svg"),
            caption="captions/confusion.rst",
            category="Confusion",
            labels={"model": "{model}"},
        ),
        png=plan.path("figures", "confusion", "{model}.png"),
    log:
        plan.path("logs", "figure_confusion", "{model}.log"),
    benchmark:
        plan.path("benchmarks", "figure_confusion", "{model}.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        model=lambda wildcards: wildcards.model,
        corpus_name=plan.corpus_name,
        card=plan.card,
        figures=plan.section("figures", "png_dpi"),
        clustering=plan.section("clustering", "levels"),
        evaluation=plan.section("evaluation", "tasks", "permutations", "summary_algorithms", "seed"),
        code=code_of("figure_confusion"),
    message:
        "Drawing the confusion matrix of {wildcards.model}"
    script:
        "../scripts/figure_confusion.py"


rule figure_training:
    """Training curves of every model."""
    input:
        history=plan.branch_files("models/{model}/seed-{seed}/history.parquet", plan.first_trained),
        summary=plan.branch_files("models/{model}/seed-{seed}/summary.json", plan.first_trained),
    output:
        svg=report(
            plan.path("figures", "training.svg"),
            caption="captions/training.rst",
            category="Training",
            labels={"figure": "training curves"},
        ),
        png=plan.path("figures", "training.png"),
    log:
        plan.path("logs", "figure_training.log"),
    benchmark:
        plan.path("benchmarks", "figure_training.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        corpus_name=plan.corpus_name,
        card=plan.card,
        figures=plan.section("figures", "png_dpi"),
        code=code_of("figure_training"),
    message:
        "Drawing training curves"
    script:
        "../scripts/figure_training.py"


rule figure_reconstruction:
    """A reconstruction next to its original."""
    input:
        reconstruction=lambda wildcards: first_branch("latents", wildcards.model, "-reconstruction"),
        windows=corpus_table("audio_windows"),
        labels=corpus_table("titles"),
    output:
        svg=report(
            plan.path("figures", "reconstruction", "{model}.svg"),
            caption="captions/reconstruction.rst",
            category="Reconstructions",
            labels={"model": "{model}"},
        ),
        png=plan.path("figures", "reconstruction", "{model}.png"),
    log:
        plan.path("logs", "figure_reconstruction", "{model}.log"),
    benchmark:
        plan.path("benchmarks", "figure_reconstruction", "{model}.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        model=lambda wildcards: wildcards.model,
        corpus_name=plan.corpus_name,
        card=plan.card,
        figures=plan.section("figures", "png_dpi"),
        logmel=plan.section("logmel"),
        code=code_of("figure_reconstruction"),
    message:
        "Drawing a reconstruction of {wildcards.model}"
    script:
        "../scripts/figure_reconstruction.py"
