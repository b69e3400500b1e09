"""docs/real_music.md: its table is that of finished runs, and the README's is out of it."""

import importlib.util

import pandas as pd
import pytest
import yaml

from conftest import ROOT
from finished import Run

DOCS = ROOT / "docs"
spec = importlib.util.spec_from_file_location("real_music", DOCS / "real_music.py")
assert spec is not None
assert spec.loader is not None
real_music = importlib.util.module_from_spec(spec)
spec.loader.exec_module(real_music)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|\n ").split("|")]


def table(text: str, heading: str) -> list[list[str]]:
    """Rows of the table whose first heading this is."""
    rows = text[text.index(f"| {heading}") :].split("\n\n")[0].splitlines()
    return [cells(row) for row in rows[2:]]


def test_the_table_of_a_finished_run_is_that_of_its_comparison(finished: Run) -> None:
    rows = real_music.scored(finished.results)
    comparison = pd.read_csv(finished.results / "tables" / "comparison.csv")
    songs = comparison[(comparison["level"] == "song") & comparison["task"].isin(real_music.TASKS)]
    assert len(rows) == len(songs)
    lines = [cells(line) for line in real_music.lines("small", rows)]
    assert len(lines) == songs["nmi_mean"].notna().sum()
    for corpus, model, _, n, nmi, interval, chance, _ in lines:
        task = "genre" if "genre" in corpus else "language"
        name, _, view = model.strip("`").partition(" ")
        row = songs[(songs["model"] == name) & (songs["task"] == task)]
        if view:
            row = row[row["view"] == view.strip("()")]
        [row] = row.to_dict("records")
        assert int(n) == row["n"]
        assert nmi.startswith(f"{row['nmi_mean']:.3f}")
        assert float(chance) == pytest.approx(row["chance_nmi"], abs=5e-4)
        low, high = map(float, interval.split(" to "))
        assert low <= row["nmi_mean"] + 5e-4
        assert low < high or row["nmi_sd"] == 0
    unscored = rows.assign(nmi_mean=None)
    assert real_music.lines("small", unscored) == []
    assert f"`{rows['model'].iloc[0]}`" in " ".join(real_music.not_scored("small", unscored))


def test_the_page_has_every_representation_of_the_default_configs() -> None:
    text = (DOCS / "real_music.md").read_text(encoding="utf-8")
    rows = table(text, "corpus, labels")
    shown = {row[1].strip("`").split(" ")[0] for row in rows}
    corpora = yaml.safe_load((DOCS / "real_music.yaml").read_text(encoding="utf-8"))
    assert {row[0].split(": ")[0] for row in rows} == {c["title"] for c in corpora.values()}
    for name in ("folder.yaml", "manifest.yaml", "library.yaml"):
        declared = yaml.safe_load((ROOT / "config" / name).read_text(encoding="utf-8"))
        assert set(declared["include"]) == shown


def test_the_readmes_numbers_of_real_music_are_in_the_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = table((DOCS / "real_music.md").read_text(encoding="utf-8"), "corpus, labels")
    short = table(readme, "real music")
    assert len(short) >= 3
    for corpus, model, nmi, interval, chance in short:
        same = [row for row in page if row[0].startswith(corpus) and row[1] == model]
        assert [row[4:7] for row in same] == [[nmi, interval, chance]]
