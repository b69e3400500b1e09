"""Clusters of one model's latents at every level, and their scores."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config.clustering import Clustering
    from songatlas.config.evaluation import Evaluation
    from songatlas.evaluation.scores import write_clusters_and_scores

    write_clusters_and_scores(
        snakemake.input.latents,
        snakemake.input.labels,
        snakemake.output.clusters,
        snakemake.output.scores,
        snakemake.output.continuity,
        model=snakemake.params.model,
        seed=snakemake.params.seed,
        clustering=Clustering(**snakemake.params.clustering),
        evaluation=Evaluation(**snakemake.params.evaluation),
        sound_path=snakemake.input.get("sound"),
        words_path=snakemake.input.get("words"),
    )
