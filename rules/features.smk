"""Features: sharded parquet tables of what models and baselines read."""

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
                "../scripts/feature.py"

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
                "../scripts/feature.py"


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
        "../scripts/lyrics_features.py"


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
        "../scripts/text_features.py"
