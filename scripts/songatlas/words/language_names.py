"""English names of languages, for the page's legends."""

import csv
import functools

from songatlas.corpus.languages import RESOURCE


def language_name(code: str) -> str:
    """`Arabic` for `ar`; the text itself where it is no code that the table has."""
    return _names().get(code, code)


@functools.cache
def _names() -> dict[str, str]:
    with RESOURCE.open(encoding="utf-8", newline="") as file:
        return {row["code"]: row["english"] for row in csv.DictReader(file)}
