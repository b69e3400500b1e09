"""Musical time: what the explorer shows and makes felt while a song plays; nothing else reads it."""

musical_time_parts = [
    plan.path("features", "musical_time", f"{shard}.parquet") for shard in plan.shards
]
if not plan.explorer()["music_view"]:
    musical_time_parts = []
"""Tables of all shards, where the page has the view."""


rule musical_time:
    """Beats, curves at 20 Hz, tempo and key of one shard's songs."""
    input:
        shard=shard_table,
        content=shard_content,
        audio=demo_audio,
    output:
        plan.path("features", "musical_time", "{shard}.parquet"),
    log:
        plan.path("logs", "musical_time", "{shard}.log"),
    benchmark:
        plan.path("benchmarks", "musical_time", "{shard}.tsv")
    conda:
        "../envs/audio.yaml"
    params:
        code=code_of("musical_time"),
    message:
        "Musical time of shard {wildcards.shard}"
    script:
        "../scripts/musical_time.py"
