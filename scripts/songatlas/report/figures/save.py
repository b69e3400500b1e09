"""Writing a figure as SVG and PNG, the same bytes every time."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.text import Text

from songatlas.report.figures import style
from songatlas.tables import atomic


def save(
    figure: Figure,
    svg: str | Path,
    png: str | Path,
    *,
    dpi: int,
    title: str,
    description: str = "",
    card: str | None = None,
) -> None:
    """Write both copies atomically, with title and description in their metadata.

    `card` is the path of the run's provenance card, named as source (`dc:source` of the SVG, the
    text chunk `Source` of the PNG); None for a figure of no run. It is a name and no hash, since
    the card holds the figures' hashes.

    The SVG carries no date and its ids come from a fixed salt; letters are outlines, so it looks
    the same where a font is missing. `dpi` is the resolution of the PNG, and of the parts of the
    SVG that are bitmaps (spectrograms, very many points).
    """
    for text in figure.findobj(Text):
        text.set_fontfeatures(("-liga",))  # names such as `lyrics_tfidf` are read letter by letter
    # Where a value is None, neither format has the entry.
    common = {"Title": title, "Description": description, "Source": card}
    for path, kind, metadata in (
        (png, "png", {**common, "Software": "Songatlas"}),
        (svg, "svg", {**common, "Date": None, "Creator": "Songatlas"}),
    ):
        with style.context(), atomic(path) as temporary:
            figure.savefig(temporary, format=kind, dpi=dpi, metadata=metadata)
        # Finding the layout takes as long as drawing. The PNG's, whose letters are measured more
        # finely, is good for both.
        figure.set_layout_engine("none")
