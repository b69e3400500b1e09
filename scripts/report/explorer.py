"""The explorer of a run: a folder that opens in a browser, from disk, without a network."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config.report import Explorer, Figures
    from songatlas.report.explorer.model_data import Settings
    from songatlas.report.explorer.page import Inputs, write_page

    names = snakemake.params.names
    write_page(
        Inputs(
            tracks=snakemake.input.tracks,
            near_copies=snakemake.input.get("near_copies") or None,
            labels=snakemake.input.labels,
            windows=snakemake.input.windows,
            lines=snakemake.input.lines,
            comparison=snakemake.input.comparison,
            projections=snakemake.input.projections,
            latents=dict(zip(names, snakemake.input.latents, strict=True)),
            clusters=dict(zip(names, snakemake.input.clusters, strict=True)),
            logmel=snakemake.input.get("logmel", []),
            descriptors=snakemake.input.get("descriptors", []),
            tags=snakemake.input.get("tags", []),
            named=snakemake.input.get("named") or None,
            vocabulary=snakemake.input.get("vocabulary") or None,
            musical_time=snakemake.input.get("musical_time", []),
            voice=snakemake.input.get("voice", []),
            sounds=dict(zip(snakemake.params.decoded, snakemake.input.sounds, strict=True)),
            not_decoded=snakemake.params.not_decoded,
        ),
        snakemake.output.folder,
        Settings(
            explorer=Explorer(**snakemake.params.explorer),
            figures=Figures(**snakemake.params.figures),
            seed=snakemake.params.evaluation["seed"],
        ),
        run=snakemake.params.run,
        corpus_name=snakemake.params.corpus_name,
    )
