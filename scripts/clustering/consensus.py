"""Consensus partitions of one model's songs, the suggested k, and the quality of every cluster."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.config.clustering import Clustering, Consensus
    from songatlas.config.evaluation import Evaluation
    from songatlas.evaluation.consensus import write_consensus

    write_consensus(
        snakemake.input.latents,
        snakemake.input.labels,
        consensus_path=snakemake.output.consensus,
        choice_path=snakemake.output.choice,
        quality_path=snakemake.output.quality,
        continuity_path=snakemake.output.continuity,
        model=snakemake.params.model,
        clustering=Clustering(**snakemake.params.clustering),
        evaluation=Evaluation(**snakemake.params.evaluation),
        consensus=Consensus(**snakemake.params.consensus),
    )
