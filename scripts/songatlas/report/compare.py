"""Two runs side by side: settings, scores, and which songs changed cluster.

Run as `python -m songatlas.report.compare A B` (`make compare A=... B=...`): prints the page
and writes it as Markdown under `results/compare/`.
"""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from songatlas import tables
from songatlas.clustering.views import of_view
from songatlas.errors import SongatlasError
from songatlas.run.versions.run import folder_of

LEVEL, ALGORITHM = "song", "kmeans"
"""Whose clusters are compared: songs, grouped by k-means, at every k."""

SHOWN = 12
"""Titles listed per row; their number is always given."""


class CompareError(SongatlasError):
    """A run lacks what it is compared by."""


def settings(first: Mapping[str, Any], second: Mapping[str, Any]) -> pd.DataFrame:
    """Keys whose values differ, as `key`, `a`, `b`; an absent key is an empty cell."""
    flat_a, flat_b = flatten(first), flatten(second)
    rows = [
        {"key": key, "a": flat_a.get(key, ""), "b": flat_b.get(key, "")}
        for key in sorted({*flat_a, *flat_b})
        if key != "run" and flat_a.get(key, "") != flat_b.get(key, "")
    ]
    return pd.DataFrame(rows, columns=["key", "a", "b"])


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """`{"a": {"b": 1}}` as `{"a.b": "1"}`."""
    flat: dict[str, str] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


def scores(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """NMI of both comparison tables and the difference, by task, level and model."""
    keys = ["task", "level", "model"]
    columns = [*keys, "nmi_mean", "nmi_sd", "chance_nmi"]
    both = of_view(first)[columns].merge(
        of_view(second)[columns], on=keys, how="outer", suffixes=("_a", "_b"), sort=True
    )
    both["change"] = both["nmi_mean_b"] - both["nmi_mean_a"]
    return both[[*keys, "nmi_mean_a", "nmi_mean_b", "change", "nmi_sd_a", "nmi_sd_b"]]


def moved(first: pd.Series, second: pd.Series) -> list[str]:
    """Songs whose cluster differs, once clusters are matched to overlap as much as they can.

    Both are labels indexed by `track_id`; songs that only one has are left out. Numbers of
    clusters mean nothing by themselves, so they are matched by the Hungarian algorithm.
    """
    from scipy.optimize import linear_sum_assignment

    both = pd.concat([first.rename("a"), second.rename("b")], axis=1, join="inner").sort_index()
    overlap = pd.crosstab(both["a"], both["b"])
    rows, columns = linear_sum_assignment(overlap.to_numpy(), maximize=True)
    partner = dict(
        zip(np.asarray(overlap.index)[rows], np.asarray(overlap.columns)[columns], strict=True)
    )
    stayed = both["a"].map(partner) == both["b"]
    return [str(track) for track in both.index[~stayed]]


def clusterings(folder: Path) -> dict[tuple[str, str, int], pd.Series]:
    """Labels of songs by (model, seed, k)."""
    found = {}
    for path in sorted(folder.glob("clusters/*/seed-*.parquet")):
        frame = of_view(tables.read(path, tables.CLUSTERS))
        frame = frame[(frame["level"] == LEVEL) & (frame["algorithm"] == ALGORITHM)]
        # Algorithms that find k themselves leave it empty, which makes pandas read floats.
        for k in sorted(frame["k"].dropna().astype(int).unique()):
            labels = frame[frame["k"] == k].set_index("track_id")["label"]
            found[path.parent.name, path.stem.removeprefix("seed-"), int(k)] = labels
    return found


def changes(first: Path, second: Path) -> pd.DataFrame:
    """`model`, `seed`, `k`, `songs` in both, `moved` and their titles, of what both runs have."""
    names = titles(first) | titles(second)
    one, other = clusterings(first), clusterings(second)
    rows = []
    for key in sorted({*one} & {*other}):
        gone = moved(one[key], other[key])
        shown = "; ".join(names.get(track, track) for track in gone[:SHOWN])
        shown += "; ..." if len(gone) > SHOWN else ""
        n_songs = len(one[key].index.intersection(other[key].index))
        rows.append((*key, n_songs, len(gone), shown))
    return pd.DataFrame(rows, columns=["model", "seed", "k", "songs", "moved", "which"])


def titles(folder: Path) -> dict[str, str]:
    """Titles by `track_id` (the identifier where there is no title)."""
    labels = tables.read(folder / "corpus" / "labels.parquet", tables.LABELS)
    named = labels["title"].where(labels["title"].notna(), labels["track_id"])
    return dict(zip(labels["track_id"], named, strict=True))


def page(a: str, b: str) -> str:
    """The comparison of two runs as Markdown.

    Raises:
        RunError: when a run is absent.
        CompareError: when a run is not finished.
    """
    folders = folder_of(a), folder_of(b)
    for folder in folders:
        for name in ("config.yaml", "tables/comparison.csv", "corpus/labels.parquet"):
            if not (folder / name).is_file():
                raise CompareError(f"{folder / name}: absent; finish the run first")
    configs = [yaml.safe_load((folder / "config.yaml").read_text("utf-8")) for folder in folders]
    compared = [
        pd.read_csv(folder / "tables" / "comparison.csv", keep_default_na=False, na_values=[""])
        for folder in folders
    ]
    return "\n".join(
        [
            f"# {a} (a) and {b} (b)",
            "",
            "## Settings that differ",
            "",
            markdown(settings(*configs), "none"),
            "## NMI with the labels",
            "",
            markdown(scores(*compared), "nothing in common"),
            f"## Songs that changed cluster ({ALGORITHM}, clusters matched)",
            "",
            markdown(changes(*folders), "no clustering in common"),
        ]
    )


def markdown(frame: pd.DataFrame, empty: str) -> str:
    """A table; cells cannot break it."""
    if frame.empty:
        return f"{empty}\n"
    lines = [list(frame.columns), *([cell(value) for value in row] for row in frame.to_numpy())]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    texts = [
        "| " + " | ".join(f"{text:<{w}}" for text, w in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    texts.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(texts) + "\n"


def cell(value: object) -> str:
    """A value's text: three decimals, nothing for a missing one, no control characters."""
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.3f}"
    text = "".join(" " if ord(character) < 32 else character for character in str(value))
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def main() -> int:
    parser = argparse.ArgumentParser(description="Two runs side by side.")
    parser.add_argument("a")
    parser.add_argument("b")
    parsed = parser.parse_args()
    try:
        text = page(parsed.a, parsed.b)
    except SongatlasError as error:
        print(error, file=sys.stderr)
        return 1
    path = Path("results/compare") / f"{parsed.a}-{parsed.b}.md"
    with tables.atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(text)
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
