"""Playlists of a run: of its named clusters, and of songs that are asked for."""


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
        "../scripts/playlists.py"


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
        "../scripts/playlist.py"
