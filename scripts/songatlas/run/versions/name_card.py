"""Naming the run's provenance card in a table for readers."""

from pathlib import Path

from songatlas.tables import atomic

COMMENT = {".md": "\n<!-- Provenance: {} -->\n", ".tex": "% Provenance: {}\n"}
"""CSV and plain text have no comments: the card lists those files with their hashes."""


def name_card(path: str | Path, card: str) -> None:
    """Add a comment with the path of the provenance card at the end of a Markdown or LaTeX file.

    It is a name and no hash, since the card holds the table's hash.
    """
    path = Path(path)
    text = path.read_text(encoding="utf-8")
    with atomic(path) as temporary:
        temporary.write_text(text + COMMENT[path.suffix].format(card), encoding="utf-8")
