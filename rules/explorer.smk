"""The explorer: a page to see and hear the run, for the browser."""


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
        run=plan.config.run,
        corpus_name=plan.corpus_name,
        explorer=plan.explorer(),
        figures=plan.section("figures", "umap_neighbors", "umap_min_dist", "tsne_perplexity"),
        evaluation=plan.section("evaluation", "seed"),
        bundle=plan.explorer_bundle,
        code=code_of("explorer"),
    message:
        "Building the explorer"
    script:
        "../scripts/explorer.py"
