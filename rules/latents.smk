"""Latents: posterior means of trained models, vectors of baselines."""


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
        "../scripts/latents.py"


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
        "../scripts/baseline_latents.py"
