"""What became of every input, and the result in plain words."""


rule fates:
    """Every input once: used, used with a warning, not used, or set aside, and why."""
    input:
        sources=rules.list_sources.output.sources,
        tracks=corpus_table("tracks"),
        rejects=[plan.path("corpus", "rejects.parquet"), *plan.problem_files("rejects")],
        warnings=[plan.path("corpus", "warnings.parquet"), *plan.problem_files("warnings")],
    output:
        report(
            plan.path("tables", "fates.csv"),
            caption="captions/fates.rst",
            category="Tables",
            labels={"table": "inputs"},
        ),
    log:
        plan.path("logs", "fates.log"),
    benchmark:
        plan.path("benchmarks", "fates.tsv")
    conda:
        "../envs/analysis.yaml"
    params:
        code=code_of("fates"),
    message:
        "Listing what became of every input"
    script:
        "../scripts/fates.py"


rule summary:
    """One page: what was run on what, what won, what to distrust."""
    input:
        comparison=rules.comparison.output.csv,
        near_copies=near_copies(),
        tracks=corpus_table("tracks"),
        labels=corpus_table("labels"),
        windows=corpus_table("windows"),
        rejects=[plan.path("corpus", "rejects.parquet"), *plan.problem_files("rejects")],
        warnings=corpus_table("warnings"),
        fates=rules.fates.output[0],
        summaries=plan.branch_files("models/{model}/seed-{seed}/summary.json", plan.trained),
        names=rules.names.output.csv if not plan.folds else [],
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
        pretrained=plan.pretrained_rows,
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
