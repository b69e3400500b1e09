"""t-SNE of every representation, coloured by language and by genre.

References:
    van der Maaten and Hinton (2008), Visualizing Data using t-SNE, JMLR 9.
"""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas import tables
    from songatlas.config.report import Figures
    from songatlas.latents.projection import PROJECTION, Tsne, project_all
    from songatlas.report.figures.map import write_maps

    figures = Figures(**snakemake.params.figures)
    points, metadata = project_all(
        dict(zip(snakemake.params.names, snakemake.input.latents, strict=True)),
        preferred="window",
        method=Tsne(figures.tsne_perplexity),
        seed=snakemake.params.seed,
        limit=5000,
    )
    tables.write(points, snakemake.output.projections, PROJECTION, {"models": metadata})
    write_maps(
        points,
        metadata,
        tables.read(snakemake.input.labels, tables.LABELS),
        snakemake.output.svg,
        snakemake.output.png,
        dpi=figures.png_dpi,
        corpus_name=snakemake.params.corpus_name,
        card=snakemake.params.card,
    )
