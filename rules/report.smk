"""The result in plain words."""


rule summary:
    """One page: what was run on what, what won, what to distrust."""
    input:
        comparison=rules.comparison.output.csv,
        tracks=corpus_table("tracks"),
        labels=corpus_table("labels"),
        windows=corpus_table("windows"),
        rejects=[plan.path("corpus", "rejects.parquet"), *plan.reject_files()],
        warnings=corpus_table("warnings"),
        summaries=plan.branch_files("models/{model}/seed-{seed}/summary.json", plan.trained),
    output:
        report(
            plan.path("report", "summary.md"),
            caption="captions/summary.rst",
            category="Summary",
        ),
    log:
        plan.path("logs", "summary.log"),
    benchmark:
        plan.path("benchmarks", "summary.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        corpus_name=plan.corpus_name,
        run=plan.config.run,
        seeds=plan.config.seeds,
        card=plan.card,
        code=code_of("summary"),
    message:
        "Writing the summary"
    script:
        "../scripts/summary.py"
