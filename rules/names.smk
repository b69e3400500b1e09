"""Words for clusters and songs."""


rule song_tags:
    """The likeliest tags of every song, by musicnn."""
    input:
        songs=musicnn_songs,
        titles=corpus_table("titles"),
    output:
        csv=report(
            plan.path("tables", "song_tags.csv"),
            caption="captions/song_tags.rst",
            category="Tables",
            labels={"table": "tags of songs"},
        ),
    log:
        plan.path("logs", "song_tags.log"),
    benchmark:
        plan.path("benchmarks", "song_tags.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        vocabulary=[plan.digest("tags.csv"), plan.digest("tags_never_shown.csv")],
        code=code_of("song_tags"),
    message:
        "Listing the tags of songs"
    script:
        "../scripts/song_tags.py"


rule names:
    """Names of every model's clusters at its suggested k."""
    input:
        unpack(names_inputs),
    output:
        csv=report(
            plan.path("tables", "names.csv"),
            caption="captions/names.rst",
            category="Tables",
            labels={"page": "names", "as": "CSV"},
        ),
        md=plan.path("tables", "names.md"),
        # Stays until it is written anew: groups that stay keep their names.
        named=update(plan.path("analysis", "named.parquet")),
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
        names=plan.section("names", "words", "prompt_languages"),
        clustering=plan.section("clustering", "algorithms", "gmm", "max_dim", "pca_dim"),
        evaluation=plan.section("evaluation", "evaluate_on", "seed"),
        vocabulary=[
            plan.digest(name) for name in ("vocabulary.csv", "tags.csv", "tags_never_shown.csv")
        ],
        encoder=lambda wildcards: names_encoder(),
        pretrained=lambda wildcards: plan.pretrained(names_encoder()) if names_encoder() else None,
        card=plan.card,
        code=lambda wildcards: (
            plan.code_of_encoder("names", names_encoder())
            if names_encoder()
            else plan.code("names")
        ),
    message:
        "Naming clusters"
    script:
        "../scripts/names.py"


rule vocabulary:
    """The run's own words, each with those that mean the same, for the explorer's search."""
    input:
        tracks=corpus_table("songs"),
        classes=corpus_table("shown"),
        tags=musicnn_songs,
    output:
        plan.path("analysis", "vocabulary.parquet"),
    log:
        plan.path("logs", "vocabulary.log"),
    benchmark:
        plan.path("benchmarks", "vocabulary.tsv")
    conda:
        "../envs/torch.yaml"
    params:
        weights=lambda wildcards: plan.feature_settings("e5")["weights"],
        vocabulary=plan.digest("tags.csv"),
        code=code_of("vocabulary"),
    message:
        "Looking up which words mean the same"
    script:
        "../scripts/vocabulary.py"


rule song_captions:
    """A sentence on every song with audio; on request, since it reads descriptors in any run."""
    input:
        descriptors=plan.parts("descriptors"),
        windows=corpus_table("audio_windows"),
        titles=corpus_table("titles"),
        classes=corpus_table("shown"),
        tracks=corpus_table("songs"),
        tags=musicnn_songs,
    output:
        csv=plan.path("tables", "captions.csv"),
    log:
        plan.path("logs", "song_captions.log"),
    benchmark:
        plan.path("benchmarks", "song_captions.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        code=code_of("song_captions"),
    message:
        "Describing songs"
    script:
        "../scripts/song_captions.py"


rule listen:
    """What an audio language model writes of the songs of one shard."""
    input:
        shard=shard_table,
        content=shard_content,
        captions=rules.song_captions.output.csv,
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
        captions=rules.song_captions.output.csv if plan.captions_by_ear else [],
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
