"""The table of architectures: sizes counted from the modules, without a corpus."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.evaluation.layout import latex, markdown, write_csv, write_text
    from songatlas.models.base import InputSpec
    from songatlas.models.table import Declared, architecture_table
    from songatlas.run.versions.name_card import name_card

    declared = [Declared(**model) for model in snakemake.params.models]
    spec, output = InputSpec(**snakemake.params.spec), snakemake.output
    frame = architecture_table(declared, spec, snakemake.params.pretrained)
    caption = f"Architectures for an input of {spec.n_mels} × {spec.n_frames} values"
    write_csv(frame, output.csv)
    write_text(markdown(frame, caption), output.md)
    write_text(latex(frame, caption, "tab:architectures"), output.tex)
    for path in (output.md, output.tex):
        name_card(path, snakemake.params.card)
