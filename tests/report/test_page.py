"""Markdown pages as HTML: what is text stays text."""

import re

import pytest

from songatlas.evaluation.layout import markdown
from songatlas.report.page import page
from songatlas.report.summary import escape

HOSTILE = "<script>alert(1)</script> [x](javascript:alert(1)) `$(touch x)` <img src=x onerror=y>"


def tags(text: str) -> set[str]:
    """Names of all elements in the body."""
    return set(re.findall(r"<([a-z][a-z0-9]*)", text.split("<body>")[1]))


def test_a_table_becomes_a_table_with_its_alignment() -> None:
    import pandas as pd

    frame = pd.DataFrame({"model": ["pca", "raw"], "nmi": [0.5, 0.25]})
    text = page(markdown(frame, "Comparison") + "\n<!-- Provenance: results/x/card.json -->\n")
    assert "<title>Comparison</title>" in text
    assert '<td style="text-align:right">0.500</td>' in text
    assert "<footer>Provenance: results/x/card.json</footer>" in text
    assert "<!--" not in text


@pytest.mark.parametrize("wrapped", [HOSTILE, escape(HOSTILE)])
def test_markup_in_a_title_is_text(wrapped: str) -> None:
    text = page(f"# Songs\n\n- {wrapped}\n")
    assert tags(text) <= {"h1", "ul", "li", "code"}
    assert "javascript:alert" not in re.findall(r'href="([^"]*)"', text)


def test_markup_in_a_cell_is_text() -> None:
    import pandas as pd

    text = page(markdown(pd.DataFrame({"title": [HOSTILE]}), HOSTILE))
    assert tags(text) == {"h1", "div", "table", "thead", "tbody", "tr", "th", "td"}
    assert "&lt;script&gt;" in text
    assert "<script" not in text


def test_nothing_is_asked_of_elsewhere() -> None:
    text = page("# A\n\n![picture](https://example.org/x.png)\n")
    assert "default-src 'none'" in text
