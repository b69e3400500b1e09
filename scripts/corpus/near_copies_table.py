"""The groups of near copies, for readers."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas import tables
    from songatlas.evaluation.layout import write_csv

    groups = tables.read(snakemake.input.groups, tables.NEAR_COPIES)
    tracks = tables.read(
        snakemake.input.tracks, tables.TRACKS, ["track_id", "audio_path", "duration_s"]
    )
    titles = tables.read(snakemake.input.labels, tables.LABELS, ["track_id", "artist", "title"])
    frame = groups.merge(tracks, on="track_id").merge(titles, on="track_id")
    write_csv(frame, snakemake.output[0])
