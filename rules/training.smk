"""Training: one GPU job per model and seed; what was trained."""


rule train:
    """Train one model with one seed."""
    input:
        unpack(model_features),
    output:
        weights=plan.path("models", "{model}", "seed-{seed}", "weights.ckpt"),
        history=plan.path("models", "{model}", "seed-{seed}", "history.parquet"),
        summary=plan.path("models", "{model}", "seed-{seed}", "summary.json"),
    log:
        plan.path("logs", "train", "{model}-seed-{seed}.log"),
    benchmark:
        plan.path("benchmarks", "train", "{model}-seed-{seed}.tsv")
    wildcard_constraints:
        model=one_of(plan.models),
    # Training runs one job at a time, so it must never wait for what can run beside it.
    priority: 10
    conda:
        "../envs/torch.yaml"
    threads: plan.config.compute.training_threads * plan.config.trainer.devices
    resources:
        # On several machines the GPUs of each, which Slurm takes as a generic resource.
        gpu=plan.config.trainer.devices if plan.config.trainer.nodes == 1 else 0,
        gres="" if plan.config.trainer.nodes == 1 else f"gpu:{plan.config.trainer.devices}",
        nodes=plan.config.trainer.nodes,
        gpu_memory_gb=plan.config.compute.gpu_memory_gb,
        # Here and not among the parameters: how often a training saves changes nothing in it.
        save_every_s=plan.config.compute.save_every_s,
    params:
        model=lambda wildcards: wildcards.model,
        declared=model_params("declared"),
        options=model_params("options"),
        training=model_params("training"),
        loss=model_params("loss"),
        trainer=plan.section("trainer", "devices", "nodes"),
        spec=model_params("spec"),
        seed=lambda wildcards: int(wildcards.seed),
        resume=lambda wildcards: plan.path("resume", wildcards.model, f"seed-{wildcards.seed}"),
        tensorboard=lambda wildcards: plan.path(
            "tensorboard", wildcards.model, f"seed-{wildcards.seed}"
        ),
        code=model_code("train"),
    message:
        "Training {wildcards.model}, seed {wildcards.seed}"
    script:
        "../scripts/training/train.py"


rule training_table:
    """A row per model: epochs, losses, KL, active units, time and memory."""
    input:
        summaries=plan.branch_files("models/{model}/seed-{seed}/summary.json", plan.trained),
    output:
        csv=report(
            plan.path("tables", "training.csv"),
            caption="captions/training_table.rst",
            category="Tables",
            labels={"page": "training", "as": "CSV"},
        ),
        md=plan.path("tables", "training.md"),
        tex=plan.path("tables", "training.tex"),
        units=plan.path("tables", "latent_units.csv"),
    log:
        plan.path("logs", "training_table.log"),
    benchmark:
        plan.path("benchmarks", "training_table.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("training_table"),
    message:
        "Writing the training table"
    script:
        "../scripts/training/training_table.py"


rule architectures:
    """Parameters and key feature of every selected model; needs no corpus."""
    output:
        csv=report(
            plan.path("tables", "architectures.csv"),
            caption="captions/architectures.rst",
            category="Tables",
            labels={"page": "architectures", "as": "CSV"},
        ),
        md=plan.path("tables", "architectures.md"),
        tex=plan.path("tables", "architectures.tex"),
    log:
        plan.path("logs", "architectures.log"),
    benchmark:
        plan.path("benchmarks", "architectures.tsv")
    conda:
        "../envs/torch.yaml"
    params:
        models=plan.declared_models(),
        pretrained=plan.pretrained_rows,
        spec=plan.spec(*plan.models),
        card=plan.card,
        code=lambda wildcards: plan.code_of_models("architectures", *plan.models),
    message:
        "Counting parameters"
    script:
        "../scripts/training/architectures.py"
