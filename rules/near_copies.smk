"""Near copies of one recording, the splits that they share, and a table of them for readers."""

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
            "../scripts/near_copies.py"

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
            "../scripts/near_copies_table.py"
