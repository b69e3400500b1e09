"""What each modality does to the clusters of models that read audio and lyrics."""


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
        "../scripts/ablated_latents.py"


rule modalities:
    """How much each modality moved the clusters, per task."""
    input:
        clusters=plan.branch_files(
            "clusters/{model}/seed-{seed}.parquet", plan.branches_of(plan.multimodal)
        ),
        labels=corpus_table("classes"),
    output:
        csv=report(
            plan.path("tables", "modalities.csv"),
            caption="captions/modalities.rst",
            category="Tables",
            labels={"page": "modalities", "as": "CSV"},
        ),
        md=plan.path("tables", "modalities.md"),
        tex=plan.path("tables", "modalities.tex"),
    log:
        plan.path("logs", "modalities.log"),
    benchmark:
        plan.path("benchmarks", "modalities.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        evaluation=plan.section("evaluation", "tasks", "permutations", "summary_algorithms", "seed"),
        card=plan.card,
        code=code_of("modalities"),
    message:
        "What each modality does to the clusters"
    script:
        "../scripts/modalities.py"
