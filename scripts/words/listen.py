"""What an audio language model writes of the songs of one shard."""

from songatlas.run.jobs import job, progress

with job(snakemake.log[0], snakemake.threads, gpus=snakemake.resources.gpu) as log:
    import pandas as pd

    from songatlas import tables
    from songatlas.config.features import Pretrained
    from songatlas.config.words import Names
    from songatlas.extras.by_ear import WRITTEN, excerpts, write_of_songs
    from songatlas.extras.listener import EXCERPT_S, load_listener

    params = snakemake.params
    settings = Names(**params.names)
    pretrained = Pretrained(**params.pretrained, lock=snakemake.resources.weights_lock)
    measured = pd.read_csv(snakemake.input.captions, dtype=str, keep_default_na=False)
    songs = excerpts(tables.read(snakemake.input.shard, tables.SHARD), EXCERPT_S)
    written = write_of_songs(
        progress(list(songs.itertuples(index=False)), "listening"),
        dict(zip(measured["track_id"], measured["caption"], strict=True)),
        lambda: load_listener(params.listener, pretrained),
        settings,
    )
    tables.write(written, snakemake.output[0], WRITTEN)
    log.result = f"{len(written)} songs, {int(written['reason'].isna().sum())} captions believed"
