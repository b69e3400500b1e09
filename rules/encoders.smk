"""Pretrained encoders of audio: their weights, their features, their latents."""


rule fetch_weights:
    """Fetch the weights that the config names; the only rule that uses the network."""
    log:
        plan.path("logs", "fetch_weights.log"),
    conda:
        "../envs/torch.yaml"
    params:
        audio=plan.weights_to_fetch()[0],
        text=plan.weights_to_fetch()[1],
        lock=plan.config.pretrained.lock,
    message:
        "Fetching weights"
    script:
        "../scripts/fetch_weights.py"


rule adapt_encoder:
    """LoRA weights of an encoder, trained on the windows of the training songs."""
    input:
        shards=lambda wildcards: [ancient(path) for path in corpus_output().shards],
        contents=lambda wildcards: corpus_output().contents,
        windows=split_table("audio_windows"),
        audio=demo_audio,
    output:
        weights=plan.path(
            "features", "encoder-{encoder}-adapted", "lora", "adapter_model.safetensors"
        ),
        config=plan.path("features", "encoder-{encoder}-adapted", "lora", "adapter_config.json"),
        history=plan.path("features", "encoder-{encoder}-adapted", "lora", "history.csv"),
    log:
        plan.path("logs", "adapt_encoder", "{encoder}.log"),
    benchmark:
        plan.path("benchmarks", "adapt_encoder", "{encoder}.tsv")
    wildcard_constraints:
        encoder=one_of(plan.adapted_encoders),
    conda:
        "../envs/torch.yaml"
    threads: plan.config.compute.training_threads
    resources:
        gpu=1,
        gpu_memory_gb=plan.config.compute.gpu_memory_gb,
        weights_lock=plan.config.pretrained.lock,
    params:
        encoder=lambda wildcards: wildcards.encoder,
        pretrained=lambda wildcards: plan.pretrained(wildcards.encoder),
        weights=lambda wildcards: plan.weights_identity(wildcards.encoder),
        adaptation=plan.section("adaptation"),
        windows=plan.section("windows", "length_s"),
        code=lambda wildcards: plan.code_of_encoder("adapt_encoder", wildcards.encoder),
    message:
        "Adapting {wildcards.encoder} to the training songs"
    script:
        "../scripts/adapt_encoder.py"


rule encode_audio:
    """Every layer of an encoder, of one shard's windows."""
    input:
        shard=shard_table,
        content=shard_content,
        audio=demo_audio,
        adapter=adapter_of,
    output:
        part=plan.path("features", "encoder-{encoder}{adapted}", "part-{shard}.parquet"),
        rejects=plan.path("features", "encoder-{encoder}{adapted}", "rejects-{shard}.parquet"),
        warnings=plan.path("features", "encoder-{encoder}{adapted}", "warnings-{shard}.parquet"),
    log:
        plan.path("logs", "encode_audio", "{encoder}{adapted}-{shard}.log"),
    benchmark:
        plan.path("benchmarks", "encode_audio", "{encoder}{adapted}-{shard}.tsv")
    wildcard_constraints:
        encoder=one_of(plan.encoders),
        adapted="(-adapted)?",
    conda:
        "../envs/torch.yaml"
    threads: plan.config.compute.training_threads
    resources:
        gpu=1,
        gpu_memory_gb=plan.config.compute.gpu_memory_gb,
        # Here and not among the parameters: neither changes a vector by more than rounding.
        clips_at_once=plan.config.pretrained.batch_size,
        weights_lock=plan.config.pretrained.lock,
    params:
        encoder=lambda wildcards: wildcards.encoder,
        pretrained=lambda wildcards: plan.pretrained(wildcards.encoder),
        weights=lambda wildcards: plan.weights_identity(wildcards.encoder),
        windows=plan.section("windows", "length_s"),
        code=lambda wildcards: plan.code_of_encoder("encode_audio", wildcards.encoder),
    message:
        "Encoding shard {wildcards.shard} with {wildcards.encoder}{wildcards.adapted}"
    script:
        "../scripts/encode_audio.py"


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
        "../scripts/encoder_latents.py"
