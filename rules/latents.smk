"""Latents of trained models, baselines and encoders; ablations, traversals, maps."""


rule latents:
    """Embed every window and song with a trained model."""
    input:
        unpack(trained_latents_inputs),
    output:
        latents=plan.path("latents", "{model}", "seed-{seed}.parquet"),
        reconstruction=plan.path("latents", "{model}", "seed-{seed}-reconstruction.parquet"),
    log:
        plan.path("logs", "latents", "{model}-seed-{seed}.log"),
    benchmark:
        plan.path("benchmarks", "latents", "{model}-seed-{seed}.tsv")
    wildcard_constraints:
        model=one_of(plan.models),
    conda:
        "../envs/torch.yaml"
    resources:
        gpu=card_of_model,
        gpu_memory_gb=plan.config.compute.gpu_memory_gb,
    params:
        model=lambda wildcards: wildcards.model,
        seed=lambda wildcards: int(wildcards.seed),
        training=model_device,
        code=model_code("latents"),
    message:
        "Latents of {wildcards.model}, seed {wildcards.seed}"
    script:
        "../scripts/latents/latents.py"


rule baseline_latents:
    """Vectors of a baseline."""
    input:
        unpack(baseline_inputs),
    output:
        latents=plan.path("latents", "{model}", "seed-{seed}.parquet"),
    log:
        plan.path("logs", "latents", "{model}-seed-{seed}.log"),
    benchmark:
        plan.path("benchmarks", "latents", "{model}-seed-{seed}.tsv")
    wildcard_constraints:
        model=one_of([name for name in plan.baselines if name not in plan.encoder_baselines]),
        seed=one_of([str(seed) for seed in plan.baseline_seeds]),
    conda:
        "../envs/analysis.yaml"
    params:
        name=lambda wildcards: wildcards.model,
        baseline=lambda wildcards: plan.baseline(wildcards.model),
        seed=lambda wildcards: int(wildcards.seed),
        clustering=plan.section("clustering", "max_dim", "pca_dim"),
        evaluate_on=plan.config.evaluation.evaluate_on,
        supervision=lambda wildcards: plan.baseline_supervision(wildcards.model),
        code=lambda wildcards: plan.code_of_baseline("baseline_latents", wildcards.model),
    message:
        "Vectors of the baseline {wildcards.model}, seed {wildcards.seed}"
    script:
        "../scripts/latents/baseline_latents.py"


rule encoder_latents:
    """Vectors of a baseline that is a pretrained encoder."""
    input:
        unpack(encoder_inputs),
    output:
        latents=plan.path("latents", "{model}", "seed-{seed}.parquet"),
    log:
        plan.path("logs", "latents", "{model}-seed-{seed}.log"),
    benchmark:
        plan.path("benchmarks", "latents", "{model}-seed-{seed}.tsv")
    wildcard_constraints:
        model=one_of(plan.encoder_baselines),
        seed=one_of([str(seed) for seed in plan.baseline_seeds]),
    conda:
        "../envs/analysis.yaml"
    params:
        name=lambda wildcards: wildcards.model,
        baseline=lambda wildcards: plan.baseline(wildcards.model),
        seed=lambda wildcards: int(wildcards.seed),
        clustering=plan.section("clustering", "max_dim", "pca_dim"),
        evaluate_on=plan.config.evaluation.evaluate_on,
        code=code_of("encoder_latents"),
    message:
        "Vectors of the encoder {wildcards.model}, seed {wildcards.seed}"
    script:
        "../scripts/latents/encoder_latents.py"


rule ablated_latents:
    """Embed with one modality alone every window and song that has it."""
    input:
        unpack(trained_latents_inputs),
    output:
        latents=plan.path("analysis", "ablations", "{model}", "seed-{seed}-{modality}.parquet"),
    log:
        plan.path("logs", "ablated_latents", "{model}-seed-{seed}-{modality}.log"),
    benchmark:
        plan.path("benchmarks", "ablated_latents", "{model}-seed-{seed}-{modality}.tsv")
    wildcard_constraints:
        model=one_of(plan.multimodal),
        modality="mel|lyrics",
    conda:
        "../envs/torch.yaml"
    resources:
        gpu=card_of_model,
        gpu_memory_gb=plan.config.compute.gpu_memory_gb,
    params:
        model=lambda wildcards: wildcards.model,
        seed=lambda wildcards: int(wildcards.seed),
        modality=lambda wildcards: wildcards.modality,
        training=model_device,
        code=model_code("ablated_latents"),
    message:
        "Latents of {wildcards.model}, seed {wildcards.seed}, from {wildcards.modality} alone"
    script:
        "../scripts/latents/ablated_latents.py"


rule traversals:
    """Decode a window while single dimensions of its latent move."""
    input:
        unpack(trained_latents_inputs),
    output:
        plan.path("analysis", "traversals", "{model}", "seed-{seed}.parquet"),
    log:
        plan.path("logs", "traversals", "{model}-seed-{seed}.log"),
    benchmark:
        plan.path("benchmarks", "traversals", "{model}-seed-{seed}.tsv")
    wildcard_constraints:
        model=one_of(plan.variational),
    conda:
        "../envs/torch.yaml"
    resources:
        gpu=card_of_model,
        gpu_memory_gb=plan.config.compute.gpu_memory_gb,
    params:
        model=lambda wildcards: wildcards.model,
        logmel=plan.section("logmel", "sample_rate_hz", "hop_length"),
        training=model_device,
        code=model_code("traversals"),
    message:
        "Traversals of {wildcards.model}, seed {wildcards.seed}"
    script:
        "../scripts/latents/traversals.py"


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
        "../scripts/latents/maps.py"
