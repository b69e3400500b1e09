"""Features: sharded parquet tables of what models and baselines read."""


rule logmel:
    """Log-mel spectrograms of one shard's windows."""
    input:
        shard=shard_table,
        content=shard_content,
        audio=demo_audio,
    output:
        part=plan.path("features", "logmel", "part-{shard}.parquet"),
        rejects=plan.path("features", "logmel", "rejects-{shard}.parquet"),
        warnings=plan.path("features", "logmel", "warnings-{shard}.parquet"),
    log:
        plan.path("logs", "logmel", "{shard}.log"),
    benchmark:
        plan.path("benchmarks", "logmel", "{shard}.tsv")
    conda:
        "../envs/torch.yaml"
    params:
        logmel=plan.section("logmel"),
        windows=plan.section("windows", "length_s"),
        code=code_of("logmel"),
    message:
        "Log-mel spectrograms of shard {wildcards.shard}"
    script:
        "../scripts/logmel.py"


rule descriptors:
    """MFCC, chroma, spectral and rhythm statistics of one shard's windows."""
    input:
        shard=shard_table,
        content=shard_content,
        audio=demo_audio,
    output:
        part=plan.path("features", "descriptors", "part-{shard}.parquet"),
        rejects=plan.path("features", "descriptors", "rejects-{shard}.parquet"),
        warnings=plan.path("features", "descriptors", "warnings-{shard}.parquet"),
    log:
        plan.path("logs", "descriptors", "{shard}.log"),
    benchmark:
        plan.path("benchmarks", "descriptors", "{shard}.tsv")
    conda:
        "../envs/audio.yaml"
    params:
        logmel=plan.section("logmel"),
        windows=plan.section("windows", "length_s"),
        code=code_of("descriptors"),
    message:
        "Descriptors of shard {wildcards.shard}"
    script:
        "../scripts/descriptors.py"


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
        seed=plan.config.evaluation.seed,
        code=code_of("text_features"),
    message:
        "Embedding lyrics for {wildcards.model}"
    script:
        "../scripts/text_features.py"
