"""The explorer: a page to see and hear the run, for the browser."""


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
        "../scripts/decoded_sounds.py"


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
        bundle=plan.explorer_bundle,
        code=code_of("explorer"),
    message:
        "Building the explorer"
    script:
        "../scripts/explorer.py"
