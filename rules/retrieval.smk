"""Words and sound that find each other: scores, and queries in free text."""


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
        "../scripts/lyrics_vectors.py"


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
        "../scripts/retrieval.py"


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
        "../scripts/query.py"
