"""The reference study's tables about architectures and training, from this run's."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    import pandas as pd

    from songatlas.report.study.corpus_sheets import corpus_kind
    from songatlas.report.study.files import read_table, write_sheets
    from songatlas.report.study.model_sheets import model_sheets
    from songatlas.report.study.published import read_published
    from songatlas.report.training_table import read_summaries

    published = read_published()
    architectures = [read_table(path) for path in snakemake.input.architectures]
    write_sheets(
        model_sheets(
            pd.concat([pd.DataFrame({"model": []}), *architectures]),
            read_summaries(snakemake.input.summaries),
            published,
            corpus_kind(read_table(snakemake.input.dataset), published),
            snakemake.params.corpus_name,
        ),
        snakemake.output,
        card=snakemake.params.card,
    )
