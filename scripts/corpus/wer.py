"""The word error rate of transcripts."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads) as log:
    from songatlas.errors import SongatlasError
    from songatlas.words.transcription.wer import write_wer

    settings = snakemake.params.transcription
    if not settings["include"]:
        raise SongatlasError("wer: nothing is transcribed; set transcription.include to true")
    log.result = write_wer(
        snakemake.input.sources,
        list(snakemake.input.segments),
        songs=settings["songs"],
        csv=snakemake.output.csv,
        md=snakemake.output.md,
    )
