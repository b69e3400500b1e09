"""Lyrics in another language than the label says are reported; labels are never changed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songatlas.corpus import language_check
from songatlas.corpus.language_check import (
    check_languages,
    fill_languages,
    known_languages,
    other_language,
    with_sources,
)
from songatlas.corpus.language_id import probabilities
from songatlas.corpus.readers import read
from songatlas.corpus.result import sources_frame

TEXTS = {
    "en": "Walking down the road where the old trees bend over the water\n"
    "I remember every word that you whispered in the morning light\n"
    "Nothing in this world could ever take that summer away from us\n"
    "So we keep on singing until the stars have gone to sleep again",
    "de": "Wir gehen heute Abend noch einmal durch die dunklen Straßen\n"
    "und singen leise von der Sonne, die morgen wieder scheinen wird\n"
    "Niemand hört uns zu, aber der Mond steht über den Dächern\n"
    "und irgendwo spielt jemand ein Lied, das ich nicht vergessen kann",
    "es": "La luna sale sobre el río y nosotros caminamos hacia la casa\n"
    "donde mi madre espera con la puerta abierta y el pan caliente\n"
    "Nunca olvidaré aquella noche en que bailamos junto al mar\n"
    "porque todavía escucho la música cuando cierro los ojos",
    "ru": "Мы идём по тихой улице, и в окнах горит тёплый свет\n"
    "а где-то за рекой играет старая гармонь до самого утра\n"
    "Я помню каждое слово, которое ты сказала мне тогда\n"
    "и снег ложится на крыши, как белое пуховое одеяло",
    "ja": "夜の川のほとりをふたりで歩いていた\n"
    "風の中に君の歌がゆっくりと溶けていった\n"
    "君が話してくれたことをすべて覚えている\n"
    "今もこの胸にあの古い歌が流れている",
    "hi": "रात की चाँदनी में हम दोनों नदी के किनारे चलते रहे\n"
    "और हवा में तेरे गीत की खुशबू धीरे धीरे घुलती रही\n"
    "मुझे याद है वह हर बात जो तूने मुझसे कही थी\n"
    "अब तक मेरे दिल में वही पुरानी धुन बजती रहती है",
}


ZH = "我在河边等你回来\n风吹过我们走过的路\n月亮照着城市的灯火\n我还记得你说过的每一句话\n" * 2


def song(label: str | None, text: str | None, **more: object) -> dict:
    return {"source_id": f"{label} song", "language": label, "lyrics": text, **more}


@pytest.mark.parametrize("label", TEXTS)
@pytest.mark.parametrize("written", TEXTS)
def test_a_text_contradicts_every_label_but_its_own(label: str, written: str) -> None:
    assert other_language(TEXTS[written], label) == (None if label == written else written)


def test_a_contradiction_is_a_warning_and_changes_nothing() -> None:
    sources = sources_frame([song("en", TEXTS["es"]), song("de", TEXTS["de"])])
    before = sources.copy()
    warnings = check_languages(sources, "list_sources")
    pd.testing.assert_frame_equal(sources, before)
    row = warnings.iloc[0]
    assert warnings["path"].tolist() == ["en song"]
    assert (row["stage"], row["reason"]) == ("list_sources", "language_mismatch")
    assert row["detail"] == "labelled en, but the lyrics read as es; the label is kept"


def filled(*rows: dict) -> list[tuple]:
    songs = fill_languages(with_sources(sources_frame(list(rows))))
    columns = ["language", "language_source", "language_confidence"]
    return [tuple(None if pd.isna(v) else v for v in row) for row in songs[columns].values]


def test_missing_languages_are_those_of_the_lyrics_and_labels_stay() -> None:
    found = filled(song(None, TEXTS["es"]), song("en", TEXTS["es"]), song(None, TEXTS["ja"]))
    assert [row[:2] for row in found] == [("es", "detected"), ("en", "given"), ("ja", "detected")]
    assert found[1][2] is None
    assert all(0.9 <= row[2] <= 1.0 for row in (found[0], found[2]))


@pytest.mark.parametrize(
    "text", [None, "", "Te quiero\nmi amor", "la la la\n" * 400, "12:30 ... !!!\n" * 20]
)
def test_short_texts_fill_no_language(text: str | None) -> None:
    assert filled(song(None, text)) == [(None, None, None)]


def test_two_languages_in_equal_parts_fill_none() -> None:
    short = [TEXTS["es"].splitlines()[0], TEXTS["de"].splitlines()[0], TEXTS["en"].splitlines()[0]]
    assert filled(song(None, "\n".join(short))) == [(None, None, None)]


def test_languages_that_were_detected_are_not_checked() -> None:
    songs = with_sources(sources_frame([song("en", TEXTS["es"])]))
    assert len(check_languages(songs, "x")) == 1
    assert check_languages(songs.assign(language_source="detected"), "x").empty


def test_a_songs_verdict_depends_on_that_song_alone() -> None:
    songs = [song("en", TEXTS["es"]), song("de", TEXTS["ru"]), song("ru", TEXTS["ru"])]
    each = [check_languages(sources_frame([row]), "x") for row in songs]
    alone = pd.concat([frame for frame in each if len(frame)], ignore_index=True)
    together = check_languages(sources_frame(songs[::-1]), "x")
    assert sorted(map(tuple, together.values)) == sorted(map(tuple, alone.values))


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (None, TEXTS["es"]),  # nothing to contradict
        ("en", None),
        ("en", ""),
        ("en", "la la la\n" * 400),  # one line, sung often
        ("en", "Te quiero\nmi amor"),  # too short
        ("pt", TEXTS["es"]),  # close relatives
        ("no", TEXTS["de"][:80]),
        ("xx", TEXTS["es"]),  # no language that the detector knows
        ("yue", ZH),  # written Cantonese may read as Mandarin
        ("nan", ZH),
        ("en", "12:30 ... !!! 4 5 6\n" * 20),  # no letters
        ("fr", TEXTS["en"] + "\n" + TEXTS["de"]),  # of two minds
    ],
)
def test_what_is_uncertain_contradicts_nothing(label: str | None, text: str | None) -> None:
    assert check_languages(sources_frame([song(label, text)]), "x").empty


def test_half_a_song_in_another_language_contradicts_nothing() -> None:
    assert other_language(TEXTS["en"] + "\n" + TEXTS["es"], "es") is None
    assert other_language(TEXTS["es"] + "\n" + TEXTS["en"], "es") is None


def test_long_texts_are_not_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    read_characters = []

    def counting(texts: list[str]) -> np.ndarray:
        read_characters.extend(map(len, texts))
        return probabilities(texts)

    monkeypatch.setattr(language_check, "probabilities", counting)
    long = "\n".join(f"{n} {TEXTS['es']}" for n in range(5000))
    assert other_language(long, "en") == "es"
    assert max(read_characters) <= language_check.MAX_CHARACTERS
    read_characters.clear()
    other_language(TEXTS["en"], "en")
    assert len(read_characters) == 1, "a text that agrees is read by half"


def test_every_label_of_a_close_relative_is_known() -> None:
    assert {"en", "no", "gl", "zh", "ar", "yue", "nan", "hak"} <= known_languages()
    assert "xx" not in known_languages()


def test_real_songs_contradict_no_label_and_every_wrong_one(
    jamendolyrics: Path, ultrastar: Path
) -> None:
    for reader, folder in {"jamendolyrics": jamendolyrics, "ultrastar": ultrastar}.items():
        assert check_languages(read(reader, folder).sources, "x").empty
    sources = read("jamendolyrics", jamendolyrics).sources
    wrong = {"en": "fr", "fr": "de", "de": "es", "es": "en"}
    found = check_languages(sources.assign(language=sources["language"].map(wrong)), "x")
    assert len(found) == len(sources) == 79
