"""Figures, fates of inputs, the summary, pages and the explorer."""


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
        "../scripts/report/figure_comparison.py"


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
        "../scripts/report/figure_choice_of_k.py"


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
        "../scripts/report/figure_confusion.py"


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
        "../scripts/report/figure_training.py"


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
        "../scripts/report/figure_reconstruction.py"


rule figure_traversal:
    """Traversals of every VAE as spectrograms, rows named after the factor that they follow most."""
    input:
        traversals=plan.branch_files(
            "analysis/traversals/{model}/seed-{seed}.parquet", plan.first_vaes
        ),
        latents=plan.branch_files("latents/{model}/seed-{seed}.parquet", plan.first_vaes),
        factors=corpus_table("factors"),
        windows=corpus_table("audio_windows"),
        titles=corpus_table("titles"),
    output:
        svg=[
            report(
                path,
                caption="captions/traversal.rst",
                category="Traversals",
                labels={"model": name},
            )
            for name, path in each_figure("traversal", "svg", plan.variational)
        ],
        png=[path for _, path in each_figure("traversal", "png", plan.variational)],
    log:
        plan.path("logs", "figure_traversal.log"),
    benchmark:
        plan.path("benchmarks", "figure_traversal.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        models=plan.variational,
        corpus_name=plan.corpus_name,
        figures=plan.section("figures", "png_dpi"),
        card=plan.card,
        code=code_of("figure_traversal"),
    message:
        "Drawing traversals"
    script:
        "../scripts/report/figure_traversal.py"


rule fates:
    """Every input once: used, used with a warning, not used, or set aside, and why."""
    input:
        sources=rules.list_sources.output.sources,
        tracks=corpus_table("tracks"),
        rejects=[plan.path("corpus", "rejects.parquet"), *plan.problem_files("rejects")],
        warnings=[plan.path("corpus", "warnings.parquet"), *plan.problem_files("warnings")],
    output:
        report(
            plan.path("tables", "fates.csv"),
            caption="captions/fates.rst",
            category="Tables",
            labels={"table": "inputs"},
        ),
    log:
        plan.path("logs", "fates.log"),
    benchmark:
        plan.path("benchmarks", "fates.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        code=code_of("fates"),
    message:
        "Listing what became of every input"
    script:
        "../scripts/report/fates.py"


rule summary:
    """One page: what was run on what, what won, what to distrust."""
    input:
        comparison=rules.comparison.output.csv,
        near_copies=near_copies(),
        tracks=corpus_table("tracks"),
        labels=corpus_table("labels"),
        windows=corpus_table("windows"),
        rejects=[plan.path("corpus", "rejects.parquet"), *plan.problem_files("rejects")],
        warnings=corpus_table("warnings"),
        fates=rules.fates.output[0],
        summaries=plan.branch_files("models/{model}/seed-{seed}/summary.json", plan.trained),
        names=rules.names.output.csv if not plan.folds else [],
    output:
        plan.path("report", "summary.md"),
    log:
        plan.path("logs", "summary.log"),
    benchmark:
        plan.path("benchmarks", "summary.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        corpus_name=plan.corpus_name,
        run=plan.config.run,
        seeds=plan.config.seeds,
        pretrained=plan.pretrained_rows,
        card=plan.card,
        code=code_of("summary"),
    message:
        "Writing the summary"
    script:
        "../scripts/report/summary.py"


rule pages:
    """The summary and the Markdown tables as HTML: Snakemake's report shows no Markdown."""
    input:
        markdown_pages(),
    output:
        [
            report(
                plan.path("report", "pages", f"{Path(source).stem}.html"),
                caption=(
                    "captions/summary.rst"
                    if source.endswith("summary.md")
                    else "captions/page.rst"
                ),
                category="Summary" if source.endswith("summary.md") else "Tables",
                labels={"page": Path(source).stem.replace("_", " "), "as": "page"},
            )
            for source in markdown_pages()
        ],
    log:
        plan.path("logs", "pages.log"),
    benchmark:
        plan.path("benchmarks", "pages.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        code=code_of("pages"),
    message:
        "Writing pages of the summary and the tables"
    script:
        "../scripts/report/pages.py"


musical_time_parts = [
    plan.path("features", "musical_time", f"{shard}.parquet") for shard in plan.shards
]
if not plan.explorer()["music_view"]:
    musical_time_parts = []
"""Tables of all shards, where the page has the view."""


rule musical_time:
    """Beats, curves at 20 Hz, tempo and key of one shard's songs."""
    input:
        shard=shard_table,
        content=shard_content,
        audio=demo_audio,
    output:
        plan.path("features", "musical_time", "{shard}.parquet"),
    log:
        plan.path("logs", "musical_time", "{shard}.log"),
    benchmark:
        plan.path("benchmarks", "musical_time", "{shard}.tsv")
    conda:
        "../envs/audio.yaml"
    params:
        code=code_of("musical_time"),
    message:
        "Musical time of shard {wildcards.shard}"
    script:
        "../scripts/report/musical_time.py"


rule decoded_sounds:
    """Decode centres of clusters, journeys, single dimensions and windows of one model to sound."""
    input:
        unpack(decoded_sounds_inputs),
    output:
        directory(plan.path("report", "sounds", "{model}", "seed-{seed}")),
    log:
        plan.path("logs", "decoded_sounds", "{model}-seed-{seed}.log"),
    benchmark:
        plan.path("benchmarks", "decoded_sounds", "{model}-seed-{seed}.tsv")
    wildcard_constraints:
        model=one_of(plan.decoded),
    conda:
        "../envs/torch.yaml"
    resources:
        gpu=card_of_model,
        gpu_memory_gb=plan.config.compute.gpu_memory_gb,
    params:
        model=lambda wildcards: wildcards.model,
        logmel=plan.section("logmel"),
        training=model_device,
        reconstructions=plan.reconstructions,
        code=model_code("decoded_sounds"),
    message:
        "Decoding sounds of {wildcards.model}, seed {wildcards.seed}"
    script:
        "../scripts/report/decoded_sounds.py"


rule explorer:
    """A folder that opens by a double click on its index.html."""
    input:
        tracks=corpus_table("tracks"),
        near_copies=near_copies(),
        labels=corpus_table("labels"),
        windows=corpus_table("windows"),
        lines=corpus_table("lines"),
        comparison=rules.comparison.output.csv,
        projections=rules.maps.output.projections,
        latents=plan.branch_files("latents/{model}/seed-{seed}.parquet", plan.first_branches),
        clusters=plan.branch_files("clusters/{model}/seed-{seed}.parquet", plan.first_branches),
        logmel=plan.parts("logmel") if "logmel" in plan.features else [],
        descriptors=plan.parts("descriptors") if "descriptors" in plan.features else [],
        tags=musicnn_songs,
        named=rules.names.output.named if not plan.folds else [],
        vocabulary=rules.vocabulary.output[0] if "e5" in plan.features else [],
        musical_time=musical_time_parts,
        voice=plan.parts("musicnn") if musical_time_parts and "musicnn" in plan.features else [],
        sounds=plan.branch_files("report/sounds/{model}/seed-{seed}", plan.first_decoded),
    output:
        folder=directory(plan.path("report", "explorer")),
    log:
        plan.path("logs", "explorer.log"),
    benchmark:
        plan.path("benchmarks", "explorer.tsv")
    conda:
        "../envs/explorer.yaml"
    params:
        names=plan.first_names,
        decoded=plan.decoded,
        not_decoded=plan.not_decoded if plan.decoded else {},
        run=plan.config.run,
        corpus_name=plan.corpus_name,
        explorer=plan.explorer(),
        figures=plan.section("figures", "umap_neighbors", "umap_min_dist", "tsne_perplexity"),
        evaluation=plan.section("evaluation", "seed"),
        bundle=plan.digest("explorer/page"),
        code=code_of("explorer"),
    message:
        "Building the explorer"
    script:
        "../scripts/report/explorer.py"
