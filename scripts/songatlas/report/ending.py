"""What a finished run prints: the comparison table and where to look."""

import sys
from pathlib import Path


def ending(results: Path) -> str:
    """The comparison table of a run and the paths of its tables, figures and report.

    Returns an empty text when the run wrote no comparison (another target was asked for).
    """
    table = results / "tables" / "comparison.txt"
    if not table.is_file():
        return ""
    lines = [table.read_text(encoding="utf-8").rstrip(), ""]
    for what, path in (
        ("table", results / "tables" / "comparison.csv"),
        ("figures", results / "figures"),
        ("report", results / "report" / "summary.md"),
        ("explorer", results / "report" / "explorer" / "index.html"),
    ):
        if path.exists():
            lines.append(f"{what:<9}{path}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(ending(Path(sys.argv[1])))
