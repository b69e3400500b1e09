"""The run's result on one page of plain words."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.report.summary import read_inputs, summary
    from songatlas.run.versions.name_card import name_card
    from songatlas.tables import atomic

    inputs = read_inputs(
        comparison=snakemake.input.comparison,
        tracks=snakemake.input.tracks,
        near_copies=snakemake.input.get("near_copies") or None,
        labels=snakemake.input.labels,
        windows=snakemake.input.windows,
        rejects=snakemake.input.get("rejects", []),
        warnings=snakemake.input.get("warnings", []),
        fates=snakemake.input.fates,
        trainings=snakemake.input.get("summaries", []),
        pretrained=snakemake.params.pretrained,
        names=snakemake.input.get("names") or None,
    )
    text = summary(
        inputs,
        run=snakemake.params.run,
        corpus_name=snakemake.params.corpus_name,
        seeds=snakemake.params.seeds,
    )
    with atomic(snakemake.output[0]) as temporary:
        temporary.write_text(text, encoding="utf-8")
    name_card(snakemake.output[0], snakemake.params.card)
