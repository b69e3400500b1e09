"""Words for clusters and songs: made on request, since they read descriptors whatever a run uses."""


rule names:
    """Names of every model's clusters, and captions of songs."""
    input:
        unpack(names_inputs),
    output:
        csv=plan.path("tables", "names.csv"),
        md=plan.path("tables", "names.md"),
        captions=plan.path("tables", "captions.csv"),
    log:
        plan.path("logs", "names.log"),
    benchmark:
        plan.path("benchmarks", "names.tsv")
    conda:
        "../envs/torch.yaml"
    resources:
        weights_lock=plan.config.pretrained.lock,
    params:
        models=plan.first_names,
        names=plan.section("names", "alpha", "least_effect", "words", "prompt_languages"),
        vocabulary=plan.digest("vocabulary.csv"),
        encoder=lambda wildcards: names_encoder(),
        pretrained=lambda wildcards: plan.pretrained(names_encoder()) if names_encoder() else None,
        code=lambda wildcards: (
            plan.code_of_encoder("names", names_encoder())
            if names_encoder()
            else plan.code("names")
        ),
    message:
        "Naming clusters and describing songs"
    script:
        "../scripts/names.py"


rule listen:
    """What an audio language model writes of the songs of one shard."""
    input:
        shard=shard_table,
        content=shard_content,
        captions=rules.names.output.captions,
        audio=demo_audio,
    output:
        plan.path("analysis", "captions", "{shard}.parquet"),
    log:
        plan.path("logs", "listen", "{shard}.log"),
    benchmark:
        plan.path("benchmarks", "listen", "{shard}.tsv")
    conda:
        "../envs/torch.yaml"
    threads: plan.config.compute.training_threads
    resources:
        gpu=1,
        gpu_memory_gb=plan.config.compute.gpu_memory_gb,
        weights_lock=plan.config.pretrained.lock,
    params:
        listener=plan.config.names.listener,
        names=plan.section("names", "request", "caption_tokens"),
        pretrained=lambda wildcards: plan.pretrained(plan.config.names.listener),
        weights=lambda wildcards: plan.weights_identity(plan.config.names.listener),
        code=code_of("listen"),
    message:
        "Listening to songs of shard {wildcards.shard}"
    script:
        "../scripts/listen.py"


rule captions:
    """Captions by ear where they are believed, by template otherwise."""
    input:
        parts=plan.captions_by_ear,
        captions=rules.names.output.captions if plan.captions_by_ear else [],
    output:
        csv=plan.path("tables", "captions_by_ear.csv"),
        md=plan.path("tables", "captions_by_ear.md"),
    log:
        plan.path("logs", "captions.log"),
    benchmark:
        plan.path("benchmarks", "captions.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        listener=plan.config.names.listener,
        code=code_of("captions"),
    message:
        "Captions by ear"
    script:
        "../scripts/captions.py"
