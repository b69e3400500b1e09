"""What a finished run prints: the comparison table, what became of its inputs, where to look."""

import csv
import sys
from collections import Counter
from pathlib import Path

WORDS = {
    "used": "used",
    "warned": "used with a warning",
    "unused": "not used",
    "rejected": "set aside",
}
"""Fates (`fates.FATES`) in words."""


def ending(results: Path, times: str = "") -> str:
    """The comparison table of a run, its inputs in numbers, and where its tables and figures are.

    `times` says how long the stages took (`stage_times`). Returns an empty text when the run wrote
    no comparison (another target was asked for).
    """
    table = results / "tables" / "comparison.txt"
    if not table.is_file():
        return ""
    lines = [table.read_text(encoding="utf-8").rstrip(), ""]
    listed = results / "tables" / "fates.csv"
    if listed.is_file():
        lines += [f"inputs   {line}" for line in _inputs(listed)]
    for what, path in (
        ("table", results / "tables" / "comparison.csv"),
        ("figures", results / "figures"),
        ("report", results / "report" / "summary.md"),
        ("explorer", results / "report" / "explorer" / "index.html"),
    ):
        if path.exists():
            lines.append(f"{what:<9}{path}")
    if times:
        lines.append(f"time     {times}")
    return "\n".join(lines)


def _inputs(path: Path) -> list[str]:
    """How many inputs had which fate, and why those that were not simply used."""
    fate_of: dict[str, str] = {}
    reasons: dict[str, Counter[str]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            fate_of[row["path"]] = row["fate"]
            reasons.setdefault(row["fate"], Counter())[row["reason"]] += 1
    counts = Counter(fate_of.values())
    lines = []
    for fate, words in WORDS.items():
        if counts[fate] or fate == "used":
            why = ", ".join(
                f"{reason} {n}" for reason, n in sorted(reasons.get(fate, {}).items()) if reason
            )
            lines.append(f"{counts[fate]:,} {words}" + (f": {why}" if why else ""))
    if any(counts[fate] for fate in WORDS if fate != "used"):
        lines.append(f"each with its reason: {path}")
    return lines


if __name__ == "__main__":
    print(ending(Path(sys.argv[1])))
