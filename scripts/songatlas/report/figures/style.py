"""What all figures share: colours, marker shapes, fonts, headings, and text made safe to draw."""

import math
import textwrap
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.layout_engine import ConstrainedLayoutEngine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
INK, GREY, PALE = "#222222", "#6E6E6E", "#C8C8C8"

CLASS_COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, YELLOW, BLACK)
"""Okabe and Ito (2008), in an order that keeps the first classes apart in grey as well."""

CLASS_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")

MAX_CLASSES = len(CLASS_COLOURS)

UNKNOWN = "unknown"

FAMILIES = (
    "DejaVu Sans",
    "Noto Sans",
    "Noto Sans Arabic",
    "Noto Naskh Arabic",
    "Noto Sans Devanagari",
    "Lohit Devanagari",
    "Kohinoor Devanagari",
    "Devanagari MT",
    "Nirmala UI",
    "Mangal",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Arial Unicode MS",
)
"""Sans-serif families, asked glyph by glyph in this order. DejaVu Sans comes with matplotlib
(Latin, Greek, Cyrillic, Arabic): figures look the same everywhere but for the scripts it lacks."""

TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 10.0, 8.0, 7.0
_LINE = 1.35
_MARGIN_IN = 0.08


@cache
def families() -> tuple[str, ...]:
    """The families of `FAMILIES` that are installed."""
    installed = set(font_manager.get_font_names())
    return tuple(name for name in FAMILIES if name in installed)


@cache
def _drawable() -> frozenset[int]:
    """Code points for which some installed family has a glyph."""
    points: set[int] = set()
    for name in families():
        path = font_manager.findfont(name, fallback_to_default=False)
        points.update(FT2Font(str(path)).get_charmap())
    return frozenset(points)


def plain(text: object, limit: int = 60) -> str:
    """`text` from a song, a tag or a model's name, safe to hand to matplotlib.

    Dollar signs are escaped, so nothing is read as mathematics (where `_`, `^` and the backslash
    would mean something too); white space is collapsed and control characters dropped; what is
    longer than `limit` characters is cut with an ellipsis. Where no installed font has a glyph, the
    name of the script stands in brackets instead of empty boxes.
    """
    kept = "".join(map(_kept, unicodedata.normalize("NFC", str(text))))
    kept = " ".join(kept.split())
    if len(kept) > limit:
        kept = kept[: limit - 1].rstrip() + "…"
    words = [_named_script(word) for word in kept.split(" ")]
    # A run of words in the same missing script needs saying once.
    said = [word for i, word in enumerate(words) if i == 0 or not _repeats(words[i - 1], word)]
    return " ".join(said).replace("$", r"\$")


_JOINERS = "\u200c\u200d"
"""They shape Persian and Devanagari words; other format characters could turn the line around."""


def _kept(character: str) -> str:
    if character.isspace():
        return " "
    if character in _JOINERS:
        return character if ord(character) in _drawable() else ""
    return "" if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn") else character


def _repeats(before: str, word: str) -> bool:
    return before == word and word.startswith("[") and word.endswith("]")


def _named_script(word: str) -> str:
    missing = [character for character in word if ord(character) not in _drawable()]
    if not missing:
        return word
    script = unicodedata.name(missing[0], "UNKNOWN SCRIPT").split(" ")[0]
    return f"[{script.title()}]"


def numbered(names: Iterable[str]) -> dict[str, str]:
    """What figures call the names for which no installed font has all letters: `[Cjk] 1`.

    Names are counted by script, in the order in which they come; the others are left out.
    """
    shown: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for name in dict.fromkeys(names):
        words = [_named_script(word) for word in name.split()]
        if words != name.split():
            short = " ".join(dict.fromkeys(words))[:_NUMBERED_LETTERS]
            counts[short] += 1
            shown[name] = f"{short} {counts[short]}"
    return shown


_NUMBERED_LETTERS = 14
"""So many letters of a numbered name leave room for its number wherever names are cut."""


@contextmanager
def context() -> Iterator[None]:
    """Settings under which figures are drawn and saved (ticks are made as late as saving)."""
    settings: dict[str, Any] = {
        "font.family": list(families()),
        "font.size": TEXT_SIZE,
        "axes.titlesize": TEXT_SIZE,
        "axes.labelsize": TEXT_SIZE,
        "xtick.labelsize": SMALL_SIZE,
        "ytick.labelsize": SMALL_SIZE,
        "legend.fontsize": SMALL_SIZE,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": GREY,
        "axes.labelcolor": INK,
        "axes.linewidth": 0.6,
        "axes.unicode_minus": True,
        "text.color": INK,
        "xtick.color": GREY,
        "ytick.color": GREY,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 2.5,
        "ytick.major.size": 2.5,
        "lines.linewidth": 1.2,
        "legend.frameon": False,
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "svg.fonttype": "path",
        "svg.hashsalt": "songatlas",
    }
    with mpl.rc_context(rc=cast(Any, settings)):
        yield


def canvas(
    width_in: float, body_in: float, title: str, subtitle: str = "", footer_in: float = 0.0
) -> Figure:
    """A figure `width_in` wide: heading, axes that get `body_in`, a strip for a legend.

    The heading is wrapped to the width; its lines make the figure higher, they never cost the axes
    room. Title and subtitle must have gone through `plain` where they hold other people's text.
    """
    bold = _wrap(title, width_in, TITLE_SIZE * 1.12)
    light = _wrap(subtitle, width_in, TEXT_SIZE)
    heading_in = _line_in(TITLE_SIZE) * len(bold) + _line_in(TEXT_SIZE) * len(light) + 0.1
    height_in = body_in + heading_in + footer_in
    engine = ConstrainedLayoutEngine(rect=(0.0, footer_in / height_in, 1.0, body_in / height_in))
    figure = Figure(figsize=(width_in, height_in), layout=engine)
    down_in = 0.06
    for lines, size, weight, colour in (
        (bold, TITLE_SIZE, "bold", INK),
        (light, TEXT_SIZE, "normal", GREY),
    ):
        for line in lines:
            figure.text(
                _MARGIN_IN / width_in,
                1 - down_in / height_in,
                line,
                size=size,
                weight=weight,
                color=colour,
                va="top",
            )
            down_in += _line_in(size)
    return figure


def _line_in(size: float) -> float:
    return size * _LINE / 72


def _wrap(text: str, width_in: float, size: float) -> list[str]:
    """Lines of `text` that fit `width_in`, taking 0.55 em for an average letter of DejaVu Sans."""
    letters = max(int((width_in - 2 * _MARGIN_IN) * 72 / (0.55 * size)), 10)
    return [line for part in text.split("\n") for line in textwrap.wrap(part, letters)]


def legend_size(labels: Sequence[str], width_in: float) -> tuple[int, float]:
    """How many columns of these labels fit `width_in`, and the height in inches that they need."""
    if not labels:
        return 1, 0.0
    column_in = 0.42 + max(map(len, labels)) * SMALL_SIZE * 0.58 / 72
    fitting = max(1, min(len(labels), int((width_in - 2 * _MARGIN_IN) / column_in)))
    rows = math.ceil(len(labels) / fitting)
    return math.ceil(len(labels) / rows), 0.12 + rows * SMALL_SIZE * 1.75 / 72


def legend(figure: Figure, handles: Sequence[Any], columns: int) -> None:
    """One legend for the whole figure, in the strip at its foot that `canvas` left free."""
    figure.legend(
        handles=list(handles),
        loc="lower left",
        bbox_to_anchor=(0.0, 0.0),
        ncols=columns,
        borderaxespad=0.3,
        handletextpad=0.4,
        columnspacing=1.4,
    )


def panel_title(axes: "Axes", name: str, facts: Sequence[str] = ()) -> None:
    """The panel's name in bold, and below it lines of facts, left above the axes."""
    step = SMALL_SIZE * _LINE
    for up, fact in enumerate(reversed(facts)):
        axes.annotate(
            fact,
            (0, 1),
            xycoords="axes fraction",
            xytext=(0, 3.5 + up * step),
            textcoords="offset points",
            size=SMALL_SIZE,
            color=GREY,
        )
    axes.set_title(name, weight="bold", pad=4.0 + len(facts) * step)


def nothing(axes: "Axes", words: str) -> None:
    """Say why a panel is empty, in place of axes without data."""
    axes.set_axis_off()
    axes.text(
        0.5,
        0.5,
        "\n".join(textwrap.wrap(words, 34)),
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=GREY,
        size=TEXT_SIZE,
    )


def end_labels(axes: "Axes", ends: Mapping[str, tuple[float, float, str]]) -> None:
    """Name lines at their right ends: text -> (x, y, colour); names that would touch move apart."""
    low, high = axes.get_ylim()
    gap = (high - low) * SMALL_SIZE * 1.15 / 72 / max(_height_in(axes), 0.1)
    above = -float("inf")
    for text, (x, y, colour) in sorted(ends.items(), key=lambda item: item[1][1]):
        at = max(y, above + gap)
        above = at
        axes.annotate(
            text,
            (x, at),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            size=SMALL_SIZE,
            annotation_clip=False,
        )


def _height_in(axes: "Axes") -> float:
    figure = axes.get_figure(root=True)
    return axes.get_position().height * (figure.get_size_inches()[1] if figure else 1.0)
