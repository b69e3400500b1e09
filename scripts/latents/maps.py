"""Maps of all representations in one job: UMAP is slow to import and quick to run.

References:
    McInnes, Healy and Melville (2018), UMAP: Uniform Manifold Approximation and Projection for
    Dimension Reduction, arXiv:1802.03426.
"""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas import tables
    from songatlas.config.report import Figures
    from songatlas.latents.projection import PROJECTION, Umap, project_all
    from songatlas.report.figures.map import write_maps

    figures = Figures(**snakemake.params.figures)
    points, metadata = project_all(
        dict(zip(snakemake.params.names, snakemake.input.latents, strict=True)),
        preferred="window",
        method=Umap(figures.umap_neighbors, figures.umap_min_dist),
        seed=snakemake.params.seed,
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
