"""Feature tables: what is computed of sound and of lyrics."""

for feature in features.features():
    # Others have rules of their own: below, and in encoders.smk.
    if feature.write is None:
        continue

    if feature.reads == "audio":

        rule:
            name:
                feature.name
            input:
                shard=shard_table,
                content=shard_content,
                audio=demo_audio,
            output:
                **plan.feature_outputs(feature.name),
            log:
                plan.path("logs", feature.name, "{shard}.log"),
            benchmark:
                plan.path("benchmarks", feature.name, "{shard}.tsv")
            conda:
                f"../envs/{feature.environment}.yaml"
            params:
                feature=feature.name,
                settings=settings_of(feature.name),
                table="shard",
                code=code_of_feature("feature", feature.name),
            message:
                f"{feature.title} of shard {{wildcards.shard}}"
            script:
                "../scripts/features/feature.py"

    else:

        rule:
            name:
                feature.name
            input:
                tracks=corpus_table("songs"),
            output:
                **plan.feature_outputs(feature.name),
            log:
                plan.path("logs", f"{feature.name}.log"),
            benchmark:
                plan.path("benchmarks", f"{feature.name}.tsv")
            conda:
                f"../envs/{feature.environment}.yaml"
            params:
                feature=feature.name,
                settings=settings_of(feature.name),
                table="tracks",
                code=code_of_feature("feature", feature.name),
            message:
                f"{feature.title}"
            script:
                "../scripts/features/feature.py"


rule lyrics_features:
    """Lyrics embeddings of songs, windows and lines."""
    input:
        tracks=corpus_table("songs"),
        windows=corpus_table("windows"),
    output:
        song=plan.parts("lyrics_song")[0],
        song_lines=plan.parts("lyrics_song_lines")[0],
        window=plan.parts("lyrics_window")[0],
        lines=plan.parts("lyrics_lines")[0],
    log:
        plan.path("logs", "lyrics_features.log"),
    benchmark:
        plan.path("benchmarks", "lyrics_features.tsv")
    conda:
        "../envs/torch.yaml"
    params:
        lyrics=plan.lyrics(),
        weights=lambda wildcards: plan.lyrics_weights(),
        seed=plan.config.evaluation.seed,
        code=code_of("lyrics_features"),
    message:
        "Embedding lyrics"
    script:
        "../scripts/features/lyrics_features.py"


rule text_features:
    """A vector per song by a text encoder of one baseline's own."""
    input:
        tracks=corpus_table("songs"),
    output:
        plan.path("features", "text-{model}", "part-00.parquet"),
    log:
        plan.path("logs", "text_features", "{model}.log"),
    benchmark:
        plan.path("benchmarks", "text_features", "{model}.tsv")
    wildcard_constraints:
        model=one_of(plan.text_baselines),
    conda:
        "../envs/torch.yaml"
    params:
        feature=lambda wildcards: f"text-{wildcards.model}",
        lyrics=lambda wildcards: plan.lyrics(wildcards.model),
        weights=lambda wildcards: plan.lyrics_weights(wildcards.model),
        seed=plan.config.evaluation.seed,
        code=code_of("text_features"),
    message:
        "Embedding lyrics for {wildcards.model}"
    script:
        "../scripts/features/text_features.py"


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
        "../scripts/features/fetch_weights.py"


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
        "../scripts/features/adapt_encoder.py"


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
        "../scripts/features/encode_audio.py"
