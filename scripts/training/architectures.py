"""The table of architectures: sizes counted from the modules, without a corpus."""

from songatlas.run.jobs import job

with job(snakemake.log[0], snakemake.threads):
    from songatlas.evaluation.layout import Sheet, write_sheet
    from songatlas.models.base import InputSpec
    from songatlas.models.table import Declared, architecture_table

    declared = [Declared(**model) for model in snakemake.params.models]
    spec, output = InputSpec(**snakemake.params.spec), snakemake.output
    frame = architecture_table(declared, spec, snakemake.params.pretrained)
    heading = f"Architectures for an input of {spec.n_mels} × {spec.n_frames} values"
    sheet = Sheet("architectures", frame, heading)
    write_sheet(sheet, (output.csv, output.md, output.tex), snakemake.params.card)
