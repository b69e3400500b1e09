"""Words for clusters and songs; songs found by words; playlists."""


rule lyrics_vectors:
    """Lyrics in the joint space of an encoder of audio and texts."""
    input:
        songs=corpus_table("songs"),
    output:
        plan.path("analysis", "retrieval", "{encoder}.parquet"),
    log:
        plan.path("logs", "lyrics_vectors", "{encoder}.log"),
    benchmark:
        plan.path("benchmarks", "lyrics_vectors", "{encoder}.tsv")
    wildcard_constraints:
        encoder=one_of([plan.encoder_of(name) for name in plan.joint_encoders]),
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
        max_lines=plan.config.lyrics.max_lines,
        code=lambda wildcards: plan.code_of_encoder("lyrics_vectors", wildcards.encoder),
    message:
        "Lyrics in the space of {wildcards.encoder}"
    script:
        "../scripts/words/lyrics_vectors.py"


rule retrieval:
    """How well audio and lyrics of a song find each other."""
    input:
        audio=plan.branch_files(
            "analysis/ablations/{model}/seed-{seed}-mel.parquet",
            plan.branches_of(plan.retrievable),
        ),
        lyrics=plan.branch_files(
            "analysis/ablations/{model}/seed-{seed}-lyrics.parquet",
            plan.branches_of(plan.retrievable),
        ),
        songs=split_table("songs"),
        windows=split_table("audio_windows"),
        encoded=[part for name in plan.joint_encoders for part in plan.parts(plan.feature_of(name))],
        words=[
            plan.path("analysis", "retrieval", f"{plan.encoder_of(name)}.parquet")
            for name in plan.joint_encoders
        ],
    output:
        csv=report(
            plan.path("tables", "retrieval.csv"),
            caption="captions/retrieval.rst",
            category="Tables",
            labels={"page": "retrieval", "as": "CSV"},
        ),
        md=plan.path("tables", "retrieval.md"),
        tex=plan.path("tables", "retrieval.tex"),
    log:
        plan.path("logs", "retrieval.log"),
    benchmark:
        plan.path("benchmarks", "retrieval.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        corpus_name=plan.corpus_name,
        card=plan.card,
        encoders=plan.joint_encoders,
        features=[plan.feature_of(name) for name in plan.joint_encoders],
        code=code_of("retrieval"),
    message:
        "Retrieval of audio by lyrics and of lyrics by audio"
    script:
        "../scripts/words/retrieval.py"


rule query:
    """Songs for a text, or like one."""
    input:
        unpack(query_inputs),
    output:
        csv=plan.path("query", "songs.csv"),
        md=plan.path("query", "songs.md"),
    log:
        plan.path("logs", "query.log"),
    benchmark:
        plan.path("benchmarks", "query.tsv")
    conda:
        "../envs/torch.yaml"
    resources:
        gpu=lambda wildcards: cards_for(plan.config.training.device),
        gpu_memory_gb=plan.config.compute.gpu_memory_gb,
        weights_lock=plan.config.pretrained.lock,
    params:
        text=plan.config.text,
        model=lambda wildcards: plan.query_model,
        encoder=query_encoder,
        pretrained=lambda wildcards: (
            plan.pretrained(query_encoder(wildcards)) if query_encoder(wildcards) else None
        ),
        lyrics=plan.lyrics(),
        device=plan.config.training.device,
        seed=plan.config.evaluation.seed,
        query=plan.section("query"),
        models=plan.first_names,
        vocabulary=[plan.digest(f"{name}.csv") for name in ("tags", "tag_spellings")],
        code=lambda wildcards: (
            plan.code_of_encoder("query", query_encoder(wildcards))
            if query_encoder(wildcards)
            else plan.code_of_models("query", *plan.joint)
        ),
    message:
        "Looking for songs"
    script:
        "../scripts/words/query.py"


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
        "../scripts/words/song_tags.py"


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
        "../scripts/words/names.py"


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
        "../scripts/words/vocabulary.py"


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
        "../scripts/words/song_captions.py"


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
        "../scripts/words/listen.py"


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
        "../scripts/words/captions.py"


rule playlists:
    """A playlist of every named cluster of one representation, at its suggested k."""
    input:
        tracks=corpus_table("tracks"),
        labels=corpus_table("labels"),
        comparison=rules.comparison.output.csv,
        named=rules.names.output.named,
    output:
        directory(plan.path("playlists")),
    log:
        plan.path("logs", "playlists.log"),
    benchmark:
        plan.path("benchmarks", "playlists.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        models=plan.first_names,
        model=plan.config.playlist.model,
        code=code_of("playlists"),
    message:
        "Writing a playlist of every named cluster"
    script:
        "../scripts/words/playlists.py"


rule playlist:
    """Songs like one, or the way from one song to another."""
    input:
        unpack(playlist_inputs),
    output:
        m3u=plan.path("query", "playlist.m3u8"),
        csv=plan.path("query", "playlist.csv"),
    log:
        plan.path("logs", "playlist.log"),
    benchmark:
        plan.path("benchmarks", "playlist.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        models=plan.first_names,
        playlist=plan.section("playlist"),
        code=code_of("playlist"),
    message:
        "Writing a playlist"
    script:
        "../scripts/words/playlist.py"
