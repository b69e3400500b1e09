"""Words for clusters and songs: made on request, since they read descriptors whatever a run uses."""


rule names:
    """Names of every model's clusters, and captions of songs."""
    input:
        unpack(names_inputs),
    output:
        csv=plan.path("tables", "names.csv"),
        md=plan.path("tables", "names.md"),
        captions=plan.path("tables", "captions.csv"),
    log:
        plan.path("logs", "names.log"),
    benchmark:
        plan.path("benchmarks", "names.tsv")
    conda:
        "../envs/torch.yaml"
    resources:
        weights_lock=plan.config.pretrained.lock,
    params:
        models=plan.first_names,
        names=plan.section("names"),
        vocabulary=plan.digest("vocabulary.csv"),
        encoder=lambda wildcards: names_encoder(),
        pretrained=lambda wildcards: plan.pretrained(names_encoder()) if names_encoder() else None,
        code=lambda wildcards: (
            plan.code_of_encoder("names", names_encoder())
            if names_encoder()
            else plan.code("names")
        ),
    message:
        "Naming clusters and describing songs"
    script:
        "../scripts/names.py"
