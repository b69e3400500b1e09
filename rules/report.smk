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
        plan.path("report", "summary.md"),
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


rule pages:
    """The summary and the Markdown tables as HTML: Snakemake's report shows no Markdown."""
    input:
        markdown_pages(),
    output:
        [
            report(
                plan.path("report", "pages", f"{Path(source).stem}.html"),
                caption=(
                    "captions/summary.rst"
                    if source.endswith("summary.md")
                    else "captions/page.rst"
                ),
                category="Summary" if source.endswith("summary.md") else "Tables",
                labels={"page": Path(source).stem.replace("_", " "), "as": "page"},
            )
            for source in markdown_pages()
        ],
    log:
        plan.path("logs", "pages.log"),
    benchmark:
        plan.path("benchmarks", "pages.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        code=code_of("pages"),
    message:
        "Writing pages of the summary and the tables"
    script:
        "../scripts/pages.py"
