"""Languages of lyrics: codes that labels have, probabilities that add up, no guess from nothing."""

from pathlib import Path

import numpy as np
import pytest

from songatlas.corpus import language_id
from songatlas.corpus.language_id import Detected, detect, languages, letters, probabilities
from songatlas.corpus.languages import normalise_language
from songatlas.corpus.readers import read

TEXTS = {
    "en": "Walking down the road where the old trees bend over the water",
    "de": "Wir gehen heute Abend noch einmal durch die dunklen Straßen",
    "es": "La luna sale sobre el río y nosotros caminamos hacia la casa",
    "ru": "Мы идём по тихой улице, и в окнах горит тёплый свет",
    "ja": "夜の川のほとりをふたりで歩いていた",
    "hi": "रात की चाँदनी में हम दोनों नदी के किनारे चलते रहे",
    "zh": "我在河边等你回来，风吹过我们走过的路",
    "yue": "我哋喺河邊等你返嚟，佢哋話唔知點解咁凍",
    "no": "Eg går heim åleine gjennom den mørke skogen, og ingen veit kvar eg er",
    "ar": "القمر يطلع فوق النهر ونحن نمشي نحو البيت القديم",
}


@pytest.mark.parametrize("code", TEXTS)
def test_a_line_is_recognised(code: str) -> None:
    (found,) = detect([TEXTS[code]])
    assert found.code == code
    assert found.probability > 0.5
    assert found.letters == letters(TEXTS[code])


def test_codes_are_those_of_labels_and_each_stands_once() -> None:
    codes = languages()
    assert list(codes) == sorted(set(codes))
    assert {normalise_language(code) for code in codes} == set(codes)
    assert {"no", "yue", "wuu", "zh", "gn", "ar"} <= set(codes)
    assert not {"nn", "nb", "zxx", "gug", "arz", "kik"} & set(codes)


def test_rows_add_up_to_no_more_than_one_and_depend_on_their_text_alone() -> None:
    texts = list(TEXTS.values())
    found = probabilities(texts)
    assert found.shape == (len(texts), len(languages()))
    assert found.dtype == np.float32
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-3)  # all of them are words
    np.testing.assert_array_equal(probabilities(texts[3:4])[0], found[3])


@pytest.mark.parametrize(
    "text", [None, "", " \n", "a", "我", "🎵🎶😀" * 30, "12:30 ... !!!", "\0\ud800"]
)
def test_what_holds_no_words_is_in_no_language(text: str | None) -> None:
    assert detect([text])[0].code is None
    assert probabilities([text]).sum() == 0.0


def test_what_the_model_knows_nothing_of_is_in_no_language() -> None:
    assert detect(["zq"])[0] == Detected(None, 0.0, 2)


def test_characters_that_are_none_change_nothing() -> None:
    dirty = TEXTS["es"].replace(" ", " \0", 3) + "\udcff"
    assert detect([dirty]) == detect([TEXTS["es"]])


def test_a_chorus_counts_once_and_long_texts_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    verses = f"{TEXTS['en']}\n{TEXTS['es']}"
    assert detect([f"{verses}\n{TEXTS['es']}\n{TEXTS['es']}"]) == detect([verses])
    lengths = []
    rank = language_id._model().rank

    class Counting:
        labels = language_id._model().labels

        def rank(self, text: str) -> object:
            lengths.append(len(text))
            return rank(text)

    monkeypatch.setattr(language_id, "_model", Counting)
    long = "\n".join(f"{number} {TEXTS['es']}" for number in range(5000))
    assert detect([long])[0].code == "es"
    assert lengths == [language_id.MAX_CHARACTERS]


def test_letters_of_scripts_with_many_count_more() -> None:
    assert [letters(text) for text in ("abc 1!", "हिन्दी", "夜の川", "")] == [3, 6, 9, 0]


def test_every_real_song_is_recognised(jamendolyrics: Path) -> None:
    sources = read("jamendolyrics", jamendolyrics).sources
    found = detect(list(sources["lyrics"]))
    assert [one.code for one in found] == sources["language"].tolist()
    assert len(found) == 79
    assert min(one.probability for one in found) >= 0.9
