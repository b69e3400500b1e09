"""From audio files and tags to the corpus tables."""

if plan.config.corpus == "demo":

    rule demo_corpus:
        """Synthesise the embedded demo corpus: 48 songs, four languages, three genres."""
        output:
            songs=f"{plan.corpus_path}/songs.parquet",
            audio=directory(f"{plan.corpus_path}/audio"),
        log:
            "results/corpora/logs/demo_corpus.log",
        benchmark:
            "results/corpora/benchmarks/demo_corpus.tsv"
        conda:
            "../envs/audio.yaml"
        threads: 16
        params:
            seed=DEMO_SEED,
            verses=plan.digest("demo"),
            code=code_of("demo_corpus"),
        message:
            "Synthesising the demo corpus"
        script:
            "../scripts/corpus/demo_corpus.py"


rule list_sources:
    """List the songs that a reader finds."""
    input:
        songs=f"{plan.corpus_path}/songs.parquet" if plan.config.corpus == "demo" else [],
    output:
        sources=plan.path("corpus", "sources.parquet"),
        rejects=plan.path("corpus", "sources-rejects.parquet"),
        warnings=plan.path("corpus", "sources-warnings.parquet"),
    log:
        plan.path("logs", "list_sources.log"),
    benchmark:
        plan.path("benchmarks", "list_sources.tsv")
    conda:
        "../envs/audio.yaml"
    params:
        reader=plan.config.corpus,
        path=lambda wildcards: plan.corpus_path,
        listing=lambda wildcards: plan.corpus_listing,
        languages=plan.digest("languages.csv"),
        code=lambda wildcards: plan.code_of_reader("list_sources"),
    message:
        "Listing songs of {params.path} with the reader {params.reader}"
    script:
        "../scripts/corpus/list_sources.py"


rule probe:
    """Open and hash the audio files of one shard."""
    input:
        sources=rules.list_sources.output.sources,
        # Probing reads the songs themselves. A folder has no checksum, and its time says nothing in
        # a clone: `listing` stands for what is in it.
        audio=demo_audio,
    output:
        probed=plan.path("corpus", "probed", "{shard}.parquet"),
    log:
        plan.path("logs", "probe", "{shard}.log"),
    benchmark:
        plan.path("benchmarks", "probe", "{shard}.tsv")
    conda:
        "../envs/audio.yaml"
    params:
        shard=lambda wildcards: int(wildcards.shard),
        shards=plan.config.shards,
        # A replaced audio file changes no input.
        listing=lambda wildcards: plan.corpus_listing,
        code=code_of("probe"),
    message:
        "Probing audio files of shard {wildcards.shard}"
    script:
        "../scripts/corpus/probe.py"


rule transcribe:
    """Write down what is sung in the songs of one shard that have no lyrics."""
    input:
        sources=rules.list_sources.output.sources,
        probed=rules.probe.output.probed,
        audio=demo_audio,
    output:
        segments=plan.path("corpus", "transcripts", "segments-{shard}.parquet"),
        songs=plan.path("corpus", "transcripts", "songs-{shard}.parquet"),
    log:
        plan.path("logs", "transcribe", "{shard}.log"),
    benchmark:
        plan.path("benchmarks", "transcribe", "{shard}.tsv")
    conda:
        "../envs/torch.yaml"
    threads: plan.config.compute.training_threads
    resources:
        gpu=1,
        gpu_memory_gb=plan.config.compute.gpu_memory_gb,
        weights_lock=plan.config.pretrained.lock,
    params:
        transcription=plan.section("transcription"),
        pretrained=lambda wildcards: plan.pretrained(plan.config.transcription.encoder),
        weights=lambda wildcards: plan.weights_identity(plan.config.transcription.encoder),
        code=code_of("transcribe"),
    message:
        "Transcribing songs of shard {wildcards.shard}"
    script:
        "../scripts/corpus/transcribe.py"


rule wer:
    """Word error rate of transcripts, where songs have lyrics too."""
    input:
        sources=rules.list_sources.output.sources,
        segments=plan.transcripts("segments"),
    output:
        csv=plan.path("tables", "wer.csv"),
        md=plan.path("tables", "wer.md"),
    log:
        plan.path("logs", "wer.log"),
    benchmark:
        plan.path("benchmarks", "wer.tsv")
    conda:
        "../envs/torch.yaml"
    params:
        transcription=plan.section("transcription", "include", "songs"),
        code=code_of("wer"),
    message:
        "Word error rate of transcripts"
    script:
        "../scripts/corpus/wer.py"


checkpoint corpus:
    """Tracks, labels, windows and splits; only now is it known which shards changed."""
    input:
        sources=rules.list_sources.output.sources,
        rejects=rules.list_sources.output.rejects,
        warnings=rules.list_sources.output.warnings,
        probed=[plan.path("corpus", "probed", f"{shard}.parquet") for shard in plan.shards],
        segments=plan.transcripts("segments"),
        heard=plan.transcripts("songs"),
    output:
        **vars(corpus_files),
    log:
        plan.path("logs", "corpus.log"),
    benchmark:
        plan.path("benchmarks", "corpus.tsv")
    conda:
        "../envs/audio.yaml"
    params:
        windows=plan.section("windows"),
        split=plan.section("split"),
        shards=plan.config.shards,
        detect_language=plan.config.detect_language,
        languages=plan.digest("languages.csv"),
        # A function: braces in a path are not placeholders.
        corpus_path=lambda wildcards: plan.corpus_path,
        code=code_of("corpus"),
    message:
        "Building the corpus tables"
    script:
        "../scripts/corpus/corpus.py"


if plan.near_copies:

    rule near_copies:
        """Songs that are one recording, and views of the corpus in which they share a split."""
        input:
            vectors=plan.song_parts("musicnn"),
            window_vectors=plan.parts("musicnn"),
            tracks=corpus_table("songs"),
            windows=corpus_table("audio_windows"),
        output:
            groups=plan.near_copies,
            songs=plan.path("features", "near_copies", "songs.parquet"),
            audio_windows=plan.path("features", "near_copies", "audio_windows.parquet"),
            seen=reads_its_own(plan.path("features", "near_copies", "songs_seen.parquet")),
        log:
            plan.path("logs", "near_copies.log"),
        benchmark:
            plan.path("benchmarks", "near_copies.tsv")
        conda:
            "../envs/analysis.yaml"
        params:
            code=code_of("near_copies"),
        message:
            "Looking for near copies"
        script:
            "../scripts/corpus/near_copies.py"

    rule near_copies_table:
        """The groups of near copies with titles and paths."""
        input:
            groups=rules.near_copies.output.groups,
            tracks=corpus_table("tracks"),
            labels=corpus_table("titles"),
        output:
            report(
                plan.path("tables", "near_copies.csv"),
                caption="captions/near_copies.rst",
                category="Tables",
                labels={"table": "near copies"},
            ),
        log:
            plan.path("logs", "near_copies_table.log"),
        benchmark:
            plan.path("benchmarks", "near_copies_table.tsv")
        conda:
            "../envs/analysis.yaml"
        params:
            code=code_of("near_copies_table"),
        message:
            "Listing near copies"
        script:
            "../scripts/corpus/near_copies_table.py"
