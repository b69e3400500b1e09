"""Whether dimensions of latents stand for known factors: tables, and traversals to look at."""


rule disentanglement:
    """MIG, SAP and DCI of one model's latents, and how its bound dimensions follow attributes."""
    input:
        unpack(disentanglement_inputs),
    output:
        plan.path("analysis", "disentanglement", "{model}", "seed-{seed}.parquet"),
    log:
        plan.path("logs", "disentanglement", "{model}-seed-{seed}.log"),
    benchmark:
        plan.path("benchmarks", "disentanglement", "{model}-seed-{seed}.tsv")
    wildcard_constraints:
        model=one_of(plan.first_names),
    conda:
        "../envs/torch.yaml"
    params:
        model=lambda wildcards: wildcards.model,
        seed=lambda wildcards: int(wildcards.seed),
        bound=lambda wildcards: plan.bound(wildcards.model),
        logmel=plan.section("logmel", "sample_rate_hz", "hop_length"),
        disentanglement=plan.section("disentanglement"),
        evaluation_seed=plan.config.evaluation.seed,
        code=code_of("disentanglement"),
    message:
        "Disentanglement of {wildcards.model}, seed {wildcards.seed}"
    script:
        "../scripts/disentanglement.py"


rule disentanglement_table:
    """The disentanglement of every model and baseline."""
    input:
        plan.branch_files("analysis/disentanglement/{model}/seed-{seed}.parquet", plan.branches),
    output:
        csv=report(
            plan.path("tables", "disentanglement.csv"),
            caption="captions/disentanglement.rst",
            category="Tables",
            labels={"page": "disentanglement", "as": "CSV"},
        ),
        md=plan.path("tables", "disentanglement.md"),
        tex=plan.path("tables", "disentanglement.tex"),
    log:
        plan.path("logs", "disentanglement_table.log"),
    benchmark:
        plan.path("benchmarks", "disentanglement_table.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        models=plan.first_names,
        corpus_name=plan.corpus_name,
        card=plan.card,
        code=code_of("disentanglement_table"),
    message:
        "Gathering disentanglement"
    script:
        "../scripts/disentanglement_table.py"


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
        "../scripts/traversals.py"


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
        "../scripts/figure_traversal.py"
