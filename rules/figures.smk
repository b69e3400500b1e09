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
        labels=corpus_table("shown"),
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
        names=plan.first_names,
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
    """Confusion matrices of every representation's best clusterings."""
    input:
        clusters=plan.branch_files("clusters/{model}/seed-{seed}.parquet", plan.first_branches),
        scores=plan.branch_files("scores/{model}/seed-{seed}.parquet", plan.first_branches),
        labels=corpus_table("classes"),
    output:
        svg=[
            report(
                path,
                caption="captions/confusion.rst",
                category="Confusion",
                labels={"model": name},
            )
            for name, path in each_figure("confusion", "svg", plan.first_names)
        ],
        png=[path for _, path in each_figure("confusion", "png", plan.first_names)],
    log:
        plan.path("logs", "figure_confusion.log"),
    benchmark:
        plan.path("benchmarks", "figure_confusion.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        models=plan.first_names,
        corpus_name=plan.corpus_name,
        card=plan.card,
        figures=plan.section("figures", "png_dpi"),
        clustering=plan.section("clustering", "levels"),
        evaluation=plan.section("evaluation", "tasks", "permutations", "summary_algorithms", "seed"),
        code=code_of("figure_confusion"),
    message:
        "Drawing confusion matrices"
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
    """A reconstruction by every trained model, next to its original."""
    input:
        reconstruction=plan.branch_files(
            "latents/{model}/seed-{seed}-reconstruction.parquet",
            [branch for branch in plan.first_trained if branch[0] in plan.of_spectrograms],
        ),
        windows=corpus_table("audio_windows"),
        labels=corpus_table("titles"),
    output:
        svg=[
            report(
                path,
                caption="captions/reconstruction.rst",
                category="Reconstructions",
                labels={"model": name},
            )
            for name, path in each_figure("reconstruction", "svg", plan.of_spectrograms)
        ],
        png=[path for _, path in each_figure("reconstruction", "png", plan.of_spectrograms)],
    log:
        plan.path("logs", "figure_reconstruction.log"),
    benchmark:
        plan.path("benchmarks", "figure_reconstruction.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        models=plan.of_spectrograms,
        corpus_name=plan.corpus_name,
        card=plan.card,
        figures=plan.section("figures", "png_dpi"),
        logmel=plan.section("logmel"),
        code=code_of("figure_reconstruction"),
    message:
        "Drawing reconstructions"
    script:
        "../scripts/figure_reconstruction.py"
