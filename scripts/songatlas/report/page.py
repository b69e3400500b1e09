"""A Markdown page of the run as a page for a browser."""

import html
import re
from collections.abc import Sequence
from pathlib import Path

from songatlas.tables import atomic

STYLE = """\
:root { color-scheme: light dark; --line: #8884; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 75rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.875rem; font-variant-numeric: tabular-nums; }
table { width: max-content; }
th, td { padding: 0.25rem 0.75rem; border-bottom: 1px solid var(--line); text-align: left; }
td { max-width: 40ch; }
th { border-bottom-width: 2px; white-space: nowrap; }
footer { margin-top: 2rem; font-size: 0.8rem; opacity: 0.75; }
"""

CARD = re.compile(r"\n<!-- Provenance: (.+) -->\n\Z")


def page(markdown: str) -> str:
    """A whole HTML document, with nothing in it from elsewhere.

    Markup of the text itself is Markdown's; HTML in it is shown as text, never as markup.
    """
    from markdown_it import MarkdownIt

    card = CARD.search(markdown)
    text = CARD.sub("\n", markdown)
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    body = body.replace("<table>", '<div class="table"><table>').replace(
        "</table>", "</table></div>"
    )
    body = body.replace(" ± ", "\u00a0±\u00a0")  # a deviation stays beside its mean
    heading = re.search(r"<h1>(.*?)</h1>", body)
    title = re.sub(r"<[^>]+>", "", heading[1]) if heading else "Songatlas"
    footer = f"<footer>Provenance: {html.escape(card[1])}</footer>\n" if card else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        f"{body}{footer}</body>\n</html>\n"
    )


def write_pages(sources: Sequence[str | Path], outputs: Sequence[str | Path]) -> None:
    """Write the page of each Markdown file."""
    for source, output in zip(sources, outputs, strict=True):
        text = page(Path(source).read_text(encoding="utf-8"))
        with atomic(output) as temporary:
            temporary.write_text(text, encoding="utf-8")
