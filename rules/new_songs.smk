"""New songs in a finished run."""


rule assign:
    """Embed new songs and give them to the clusters of the run."""
    output:
        assignments=plan.assigned("assignments.parquet"),
        csv=plan.assigned("assignments.csv"),
        latents=plan.assigned("latents.parquet"),
        rejects=plan.assigned("rejects.parquet"),
        warnings=plan.assigned("warnings.parquet"),
    log:
        plan.path("logs", "assign", f"{plan.config.assign.name}.log"),
    benchmark:
        plan.path("benchmarks", "assign", f"{plan.config.assign.name}.tsv")
    conda:
        "../envs/torch.yaml"
    params:
        run=lambda wildcards: plan.results,
        near_copies=lambda wildcards: plan.near_copies,
        state=lambda wildcards: plan.finished_state,
        listing=lambda wildcards: plan.new_listing,
        branches=plan.assign_branches,
        assign=plan.section("assign"),
        windows=plan.section("windows"),
        features=lambda wildcards: plan.new_song_settings(),
        clustering=plan.section("clustering"),
        fitted_on=plan.config.evaluation.fitted_on,
        code=lambda wildcards: plan.code_of_assign(),
    message:
        "Assigning new songs to the clusters of {params.run}"
    script:
        "../scripts/new_songs/assign.py"


rule drift:
    """Say whether the new songs as a whole still fit the map."""
    input:
        latents=rules.assign.output.latents,
    output:
        drift=plan.assigned("drift.csv"),
    log:
        plan.path("logs", "drift", f"{plan.config.assign.name}.log"),
    benchmark:
        plan.path("benchmarks", "drift", f"{plan.config.assign.name}.tsv")
    conda:
        "../envs/torch.yaml"
    params:
        run=lambda wildcards: plan.results,
        branches=plan.assign_branches,
        assign=plan.section("assign"),
        code=code_of("drift"),
    message:
        "Comparing new songs with those of {params.run}"
    script:
        "../scripts/new_songs/drift.py"
