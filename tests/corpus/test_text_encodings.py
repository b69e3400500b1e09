"""Lyrics of twelve languages in every encoding of the web: how many are read right.

The encodings are those of the WHATWG's Encoding Standard (encoding.spec.whatwg.org), the texts old
folk songs.
"""

import pytest

from songatlas.corpus.text_files import LEGACY, WESTERN, decode_text

SONGS = {
    "ar": ["طلع البدر علينا\nمن ثنيات الوداع\nوجب الشكر علينا\nما دعا لله داع\n"
           "أيها المبعوث فينا\nجئت بالأمر المطاع"],
    "de": ["Müde bin ich, geh zur Ruh,\nschließe meine Äuglein zu.\nVater, lass die Augen dein\n"
           "über meinem Bette sein!"],
    "el": ["Φεγγαράκι μου λαμπρό,\nφέγγε μου να περπατώ,\nνα πηγαίνω στο σχολειό,\n"
           "να μαθαίνω γράμματα,\nγράμματα σπουδάγματα,\nτου Θεού τα πράγματα."],
    "es": ["Duérmete, niño, duérmete ya,\nque viene el coco y te comerá.\nSeñora Santa Ana,\n"
           "¿por qué llora el niño?\nPor una manzana\nque se le ha perdido."],
    "fr": ["Prête-moi ta plume\npour écrire un mot.\nMa chandelle est morte,\n"
           "je n’ai plus de feu,\nouvre-moi ta porte\npour l’amour de Dieu."],
    "he": ["הנה מה טוב ומה נעים\nשבת אחים גם יחד\nדוד מלך ישראל חי חי וקים\nשלום עליכם מלאכי השרת"],
    "ja": ["さくら さくら\nやよいの空は\n見わたす限り\n"
           "かすみか雲か\n匂いぞ出ずる\nいざや いざや\n見にゆかん"],
    "ko": ["아리랑 아리랑 아라리요\n아리랑 고개로 넘어간다\n나를 버리고 가시는 님은\n"
           "십리도 못 가서 발병 난다"],
    "pl": ["Wlazł kotek na płotek i mruga,\nładna to piosenka, niedługa.\nNiedługa, niekrótka, "
           "lecz w sam raz,\nzaśpiewaj, koteczku, jeszcze raz."],
    "ru": ["Во поле берёза стояла,\nво поле кудрявая стояла,\nлюли, люли, стояла.\n"
           "Некому берёзу заломати,\nнекому кудряву заломати."],
    "tr": ["Üsküdar’a gider iken aldı da bir yağmur,\nkâtibimin setresi uzun, eteği çamur.\n"
           "Kâtip uykudan uyanmış, gözleri mahmur."],
    "zh": ["好一朵美丽的茉莉花\n芬芳美丽满枝桠\n又香又白人人夸\n让我来将你摘下\n送给别人家",
           "好一朵美麗的茉莉花\n芬芳美麗滿枝椏\n又香又白人人誇\n讓我來將你摘下\n送給別人家"],
}  # fmt: skip

UNICODE = ("utf_8", "utf_16_le", "utf_16_be")
ENCODINGS = (
    *(*UNICODE, "cp866", "iso8859_2", "iso8859_3", "iso8859_4", "iso8859_5", "iso8859_6"),
    *("iso8859_7", "iso8859_8", "iso8859_10", "iso8859_13", "iso8859_14", "iso8859_15"),
    *("iso8859_16", "koi8_r", "koi8_u", "mac_roman", "cp874", "cp1250", "cp1251", "cp1252"),
    *("cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "mac_cyrillic", "gbk"),
    *("gb18030", "big5hkscs", "euc_jp", "iso2022_jp", "cp932", "cp949"),
)
"""Python's names of the standard's encodings (its `shift_jis`, `euc-kr` and `big5` are `cp932`,
`cp949` and `big5hkscs`)."""

ALIKE = {"gbk": "gb18030", "koi8_r": "koi8_u", "iso2022_jp": "cp932"}
"""Encodings that are read as another, or told by an escape sequence."""


def parts_of(song: str) -> list[str]:
    """The whole song, then every two or more successive lines of it."""
    lines = song.split("\n")
    spans = [
        (first, last) for first in range(len(lines)) for last in range(first + 2, len(lines) + 1)
    ]
    return [song, *("\n".join(lines[first:last]) for first, last in spans)]


def examples() -> list[tuple[str, str, str, bytes]]:
    """Language, encoding, text and bytes of every two or more lines of every song.

    Of encodings that give a text the same bytes the first stands for all.
    """
    found: dict[tuple[str, bytes], tuple[str, str, str, bytes]] = {}
    for language, songs in SONGS.items():
        for text in (part for song in songs for part in parts_of(song)):
            for encoding in ENCODINGS:
                try:
                    data = text.encode(encoding)
                except UnicodeEncodeError:
                    continue
                found.setdefault((language, data), (language, encoding, text, data))
    return list(found.values())


def in_use(language: str, encoding: str) -> bool:
    """Whether people write a language in an encoding."""
    known = (*UNICODE, *LEGACY.get(language, WESTERN), "cp1252")
    return encoding in known or ALIKE.get(encoding) in known


def misread(chosen: list[tuple[str, str, str, bytes]], known: bool) -> list[tuple[str, str]]:
    """Language and encoding of the texts that are read wrong."""
    return [
        (language, encoding)
        for language, encoding, text, data in chosen
        if decode_text(data, language if known else None).text != text
    ]


MISREAD = {
    True: (2, {("de", "mac_roman"), ("fr", "mac_roman")}),
    False: (
        20,
        {
            *(("ar", "iso8859_6"), ("de", "mac_roman"), ("fr", "mac_roman"), ("ja", "euc_jp")),
            *(("ru", "iso8859_5"), ("ru", "koi8_r"), ("zh", "gbk")),
        },
    ),
}
"""By whether the language is known: how many pieces may be misread (docs/inputs.md), and which."""


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("known", [True, False])
def test_lyrics_in_encodings_in_use_are_read_right(step: int, known: bool) -> None:
    chosen = [one for one in examples() if in_use(one[0], one[1])]
    assert len(chosen) == 683
    assert {language for language, *_ in chosen} == set(SONGS)
    wrong = misread(chosen[::step], known)
    print(f"{len(wrong)} of {len(chosen[::step])} are misread: {sorted(set(wrong))}")
    most, where = MISREAD[known]
    assert len(wrong) <= most
    assert set(wrong) <= where


def test_lyrics_in_encodings_that_nobody_uses_for_the_language_are_text_all_the_same() -> None:
    for language, encoding, _, data in examples()[::9]:
        found = decode_text(data, language)
        assert found.text.strip(), encoding
        assert found.guessed or found.encoding == "utf-8"
