"""Every LaTeX table compiles, whatever songs and models are called."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from songatlas.evaluation import layout
from songatlas.report.study.files import write_sheets
from test_paper_tables import COMPARISON, SCORES, every_sheet

HOSTILE = (
    r"\input{x}",
    "100% & more",
    "snake_case ^ ~ # $5 {brace} <b> |bar| \"quoted\" 'single' `grave`",
    r"\end{longtable}\immediate\write18{touch owned}",
    "– ± × ’ … é ñ ü",
    "a\nb\tc",
)

DOCUMENT = r"""\documentclass{article}
\usepackage[T1]{fontenc}
\usepackage[a4paper,landscape,margin=1cm]{geometry}
\usepackage{booktabs,longtable}
\begin{document}
%s
\end{document}
"""


def compile_tables(folder: Path, tables: Sequence[Path]) -> str:
    """One document with all tables; returns what pdflatex said."""
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is absent (Debian: apt-get install texlive-latex-recommended)")
    inputs = "\n".join(rf"\input{{{path.as_posix()}}}" for path in tables)
    (folder / "all.tex").write_text(DOCUMENT % inputs, encoding="utf-8")
    command = ["pdflatex", "-no-shell-escape", "-halt-on-error", "-interaction=nonstopmode"]
    done = subprocess.run([*command, "all.tex"], cwd=folder, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-3000:]
    assert (folder / "all.pdf").stat().st_size > 5000
    return said


@pytest.mark.slow
def test_every_table_of_the_study_compiles_in_one_document(tmp_path: Path) -> None:
    sheets = every_sheet(SCORES, COMPARISON)
    files = [tmp_path / f"{sheet.name}.tex" for sheet in sheets]
    write_sheets(sheets, files, card="results/x_y%/provenance.json")
    compile_tables(tmp_path, files)


@pytest.mark.slow
def test_hostile_titles_are_printed_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "x.tex").write_text(r"\errmessage{the file x was read}", encoding="utf-8")
    frame = pd.DataFrame({name: [name, *HOSTILE[:2]] for name in HOSTILE})
    text = layout.latex(frame, " ".join(HOSTILE), "tab:x")
    path = tmp_path / "table.tex"
    layout.write_text(text, path)
    said = compile_tables(tmp_path, [path])
    assert "the file x was read" not in said
    assert not (tmp_path / "owned").exists()
    if shutil.which("pdftotext"):
        command = ["pdftotext", "all.pdf", "-"]
        printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
        assert r"\input{x}" in printed
