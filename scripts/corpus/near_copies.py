"""Near copies among the songs, and the splits that follow from them."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas import tables
    from songatlas.corpus.near_copies import near_copies, songs_seen
    from songatlas.corpus.shared_splits import write_split_views

    tracks = tables.read(snakemake.input.tracks, tables.TRACKS)
    # Its own output, which Snakemake leaves in place: what the run had when this ran before.
    before = tables.read_previous(snakemake.output.seen, tables.SONGS_SEEN)
    seen = songs_seen(tracks, before)
    groups = near_copies(
        tracks,
        tables.read(snakemake.input.windows, tables.WINDOWS),
        snakemake.input.vectors,
        snakemake.input.window_vectors,
        seen,
    )
    tables.write(groups, snakemake.output.groups, tables.NEAR_COPIES)
    write_split_views(
        snakemake.output.groups,
        tracks=snakemake.input.tracks,
        windows=snakemake.input.windows,
        songs_output=snakemake.output.songs,
        windows_output=snakemake.output.audio_windows,
    )
    tables.write(seen, snakemake.output.seen, tables.SONGS_SEEN)
    log.result = f"{len(groups)} songs in {groups['group'].nunique()} groups of near copies"
