"""Lyrics as sung: without markup, time tags, section headings and invisible characters."""

import html
import re
import unicodedata
from html.entities import html5

# Section headings by language. `AMBIGUOUS` ones are also words that songs sing ("solo" is Spanish
# for "alone"), so outside brackets they count only with a number or colon behind them.
HEADINGS = (
    # English
    "verse", "chorus", "pre-chorus", "prechorus", "pre chorus", "post-chorus", "post chorus",
    "refrain", "pre-refrain", "interlude", "instrumental", "outro", "intro", "breakdown", "ad-lib",
    "ad-libs", "spoken word", "skit", "verses", "guitar solo", "piano solo", "repeat chorus",
    # Spanish, Portuguese, Italian
    "estribillo", "estrofa", "pre-coro", "precoro", "pre-estribillo", "interludio",
    "introducción", "refrão", "estrofe", "ritornello", "strofa",
    # French
    "couplet", "pré-refrain", "strophe", "interlude instrumental",
    # German
    "kehrvers", "kehrreim", "zwischenspiel", "vorspiel", "nachspiel", "zwischenteil",
    # Arabic
    "اللازمة", "لازمة", "الكورس", "كورس", "المقطع", "كوبليه", "الكوبليه", "المذهب",
    # Russian, Ukrainian, Polish, Greek
    "куплет", "припев", "приспів", "проигрыш", "вступление", "предприпев", "пред-припев", "аутро",
    "интро", "бридж", "брідж", "вступ", "zwrotka", "refren", "przedrefren", "κουπλέ", "ρεφρέν",
    "στροφή",
    # Japanese, Chinese, Korean
    "サビ", "ラスサビ", "イントロ", "アウトロ", "ブリッジ",
    "aメロ", "bメロ", "cメロ", "大サビ", "ヴァース", "コーラス", "副歌", "主歌", "导歌",
    "導歌", "前奏", "間奏", "间奏", "尾奏", "후렴", "벌스", "코러스", "간주", "인트로", "아웃트로",
    "브릿지", "프리코러스",
    # Hebrew, Persian, Vietnamese, Thai
    "פזמון", "همخوان", "điệp khúc", "ท่อนฮุก",
    # Dutch, Swedish, Danish, Finnish, Czech
    "refrein", "refräng", "omkvæd", "kertosäe", "säkeistö", "refrén", "sloka",
    # Turkish, Indonesian
    "nakarat", "nakaratı", "reff",
    # Hindi
    "मुखड़ा", "अंतरा", "अन्तरा", "कोरस", "इंट्रो", "आउट्रो",
)  # fmt: skip
AMBIGUOUS = (
    "bridge", "hook", "solo", "break", "drop", "coda", "vamp", "tag", "part", "end", "ending",
    "bait", "przejście",
    "final", "coro", "puente", "verso", "fin", "pont", "vers", "teil", "brücke",
    "einleitung", "schluss", "ponte", "introduction",
    "مقطع", "المقدمة", "مقدمة", "الجسر", "جسر", "الخاتمة", "خاتمة", "فاصل",
    "ब्रिज", "स्थायी", "संचारी", "प्रस्तावना", "समापन", "अलाप", "आलाप",
)  # fmt: skip
REPEATS = (
    "repeat", "repeats", "bis", "repetir", "se repite", "répéter", "wdh", "wiederholung",
    "تكرار", "दोहराएं",
)  # fmt: skip


def _any_of(words: tuple[str, ...]) -> str:
    # Longest first; the words stand in NFC like the text that they are matched with.
    ordered = sorted({unicodedata.normalize("NFC", word) for word in words}, key=len, reverse=True)
    return "(?:" + "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in ordered) + ")"


FLAGS = re.IGNORECASE
# A word ends here: not `\b`, which sees the vowel signs of Devanagari as no part of a word.
END = r"(?=$|[\s\d:;.,!*()\[\]{}\-–—/×])"
NUMBER = r"(?:(?:[#№]\s*)?\d{1,2}(?!\d)|[ivx]{1,4}(?=$|[\s:.)\]]))"
TIMES = r"(?:[x×]\s*\d{1,2}(?!\d)|\d{1,2}\s*[x×](?!\w))"
COUNTED = rf"(?:{TIMES}|\d{{1,2}}\s+(?:times|veces|fois|mal)(?!\w))"
CLEAR, WORD = _any_of(HEADINGS), _any_of(HEADINGS + AMBIGUOUS + REPEATS)
REPEAT = _any_of(REPEATS)

# Possessive quantifiers (`*+`) and atomic groups keep every pattern linear on hostile input. Only
# characters are quantified so, no groups: there Python before 3.11.5 matches wrongly (gh-106052).
# Where all that follows may be absent, nothing is tried again and a plain group is enough.
TAG = re.compile(r"<!--[^<>]*-->|</?[a-z][^<>]*>", FLAGS)
LINE_TAG = re.compile(r"<\s*+(?:/\s*+)?(?:br|p|div|li|tr|h[1-6])\b[^<>]*>", FLAGS)
SCRIPT = re.compile(r"<(script|style)\b[^<>]*>[^<]*</\1\s*>", FLAGS)
# An ampersand that was escaped over and over (`&amp;amp;lt;`) is one entity.
ENTITY = re.compile(
    r"&(?:(?:amp|#0{0,5}38|#x0{0,4}26);)*(?:(#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});)?",
    FLAGS,
)

TIME_TAG = re.compile(r"[\[<]\s*\d{1,3}:\d{1,2}(?:[.:,]\d{1,3})?\s*[\]>]")
LRC_FIELD = re.compile(
    r"^\s*\[\s*(?:ar|ti|al|au|by|re|ve|la|offset|length|tool|id|#)\s*:[^\]]*\]\s*$", FLAGS
)

SEPARATORS = r"[\s:.,!*\-–—/]*+"
SQUARE_HEADING = re.compile(
    rf"\[\s*+(?:{WORD}{END}[^\[\]]*+|{COUNTED}\s*+|{NUMBER}\s*+|\?+\s*+)\]", FLAGS
)
# Round brackets also hold backing vocals: only what is nothing but heading goes.
ROUND_HEADING = re.compile(
    rf"[(（]{SEPARATORS}(?>(?:(?>{COUNTED}|{CLEAR}{END}|{REPEAT}{END}|{WORD}{END}\s*{NUMBER})"
    rf"{SEPARATORS}(?>{NUMBER})?{SEPARATORS})+)[)）]",
    FLAGS,
)
MARK_LINE = re.compile(r"^(?:\[[^\[\]]{1,60}\]|【[^【】]{1,60}】|〔[^〔〕]{1,60}〕)$")
"""A line that is nothing but square brackets names a section, in whatever language."""
HEADING_LINE = re.compile(
    rf"^[\W_]*+(?>{CLEAR}{END}[\s.\-–—]*+(?>{NUMBER})?|{WORD}{END}\s*{NUMBER}|{WORD}\s*(?=:))"
    rf"[\s.:\-–—*#]*+(?>{TIMES})?[\W_]*+$",
    FLAGS,
)
HEADING_PREFIX = re.compile(
    rf"^(?:\W*+(?>{CLEAR}{END}\s*(?>{NUMBER})?|{WORD}{END}\s*{NUMBER})\s*+:\s*+)+", FLAGS
)
# A run of these is matched wherever it stands, and cut where the group says that the line ends.
TIMES_AT_END = re.compile(
    rf"(?:(?:^|\s)(?>(?:[*(\[]++\s?)?)(?>{TIMES})(?>(?:\s?[*)\]]++(?=\s|$))?))+($)?", FLAGS
)

# What lyrics sites write around and between the lines of a page that was copied.
SITE_HEAD = re.compile(
    r"\A\s*+(?:\d{1,5}\s*+Contributors?|Contributors?(?=Translations))(?:[^\n]*?Lyrics|[^\n]*)"
)
SITE_END = re.compile(r"(?:(?<![\d.])\d{1,4}(?:\.\d)?K?|(?<=[^\s\d])|^)Embed\s*\Z", re.MULTILINE)
SITE_BETWEEN = re.compile(
    r"(?:See [^\n]{1,80}? LiveGet tickets as low as \$\d+)?You might also like(?=$|[\[\d(A-Z])",
    re.MULTILINE,
)

PRESENTATION_FORMS = re.compile("[\ufb50-\ufdff\ufe70-\ufefc\uff01-\uffee]+")
JOINERS = "\u200c\u200d"
"""Zero-width (non-)joiners: part of the spelling in Hindi and Persian."""
KEPT_FORMAT_CHARACTERS = frozenset(JOINERS + "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u08e2")

MAX_PASSES = 8
"""An entity may hide a tag, a heading another one; lyrics never hide them this deep."""

MARKUP = str.maketrans(dict.fromkeys("<>()[]&", " "))


def clean(text: str) -> str:
    """The sung words: one line of lyrics per line, no empty lines.

    Removes HTML tags and entities, LRC time tags and fields, what lyrics sites write around a page
    (`12 ContributorsTranslations… Lyrics`, `3Embed`), lines that are nothing but square brackets,
    section headings such as `Verse 2:`, `Estribillo`, `(x2)` in some twenty languages, control
    characters and the invisible characters that set writing direction; folds white space. Letters
    of every script, right-to-left ones included, stay as they are and in their order.

    Unicode is normalised to NFC. NFKC would also rewrite what songwriters wrote on purpose (`½`,
    `1º`, `…`, superscripts); of its foldings only the presentation forms of Arabic letters and the
    half- and full-width forms are taken, which are traces of an old encoding, not spelling.

    Cleaning what is clean changes nothing. Time is linear in the text's length: text whose
    tags or headings are nested deeper than `MAX_PASSES` loses all brackets.
    """
    for _ in range(MAX_PASSES):
        cleaned = _once(text)
        if cleaned == text:
            return cleaned
        text = cleaned
    # Without brackets and ampersands one more pass leaves nothing for another.
    return _once(text.translate(MARKUP))


def _once(text: str) -> str:
    text = SCRIPT.sub(" ", text)
    text = LINE_TAG.sub("\n", text)
    text = TIME_TAG.sub(" ", text)
    text = TAG.sub("", text)
    text = ENTITY.sub(_character, text)
    text = _without_site(text)
    lines = (_clean_line(line) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def _without_site(text: str) -> str:
    """Text without what a lyrics site wrote around it, and then between its lines, too."""
    bare = SITE_END.sub("", SITE_HEAD.sub("", text))
    return text if bare == text else SITE_BETWEEN.sub("\n", bare)


def _character(entity: re.Match[str]) -> str:
    name: str | None = entity[1]
    if name is None:
        return "&"
    if name.startswith("#"):
        return html.unescape(f"&{name};")
    return html5.get(f"{name};", f"&{name};")


def _clean_line(line: str) -> str:
    if not line.isprintable():
        line = "".join(filter(_is_kept, line))
    line = unicodedata.normalize("NFC", line)
    line = PRESENTATION_FORMS.sub(lambda match: unicodedata.normalize("NFKC", match[0]), line)
    line = unicodedata.normalize("NFC", line)
    line = " ".join(line.split())
    line = MARK_LINE.sub("", LRC_FIELD.sub("", line))
    line = SQUARE_HEADING.sub(" ", line)
    line = ROUND_HEADING.sub(" ", line)
    line = " ".join(line.split())
    line = HEADING_PREFIX.sub("", line)
    line = TIMES_AT_END.sub(lambda match: match[0] if match[1] is None else "", line)
    line = HEADING_LINE.sub("", line)
    line = " ".join(line.split())
    return line if line.strip(JOINERS + " ") else ""


def _is_kept(character: str) -> bool:
    """Whether a character shows: no control, no surrogate, no bidi or other format character."""
    if character.isspace() or character in KEPT_FORMAT_CHARACTERS:
        return True
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs")
