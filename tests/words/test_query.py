"""Songs for a sentence: by language, genre, tags, lyrics and titles, with an engine or without."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songatlas import tables
from songatlas.errors import SongatlasError
from songatlas.features.lyrics import e5_engine
from songatlas.words.by_words import Embed, Library, find, tag_weights, without_language
from songatlas.words.named_language import named_languages
from songatlas.words.query import MOST_CHARACTERS, readable_text, write_query
from songatlas.words.tags import NO_TAGS, SongTags


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("a slow sad song in French", ["fr"]),
        ("una canción en español", ["es"]),
        ("ein deutsches Lied", ["de"]),
        ("chanson française", ["fr"]),
        ("canciones españolas", ["es"]),
        ("a French love song", ["fr"]),
        ("songs in French or Spanish", ["fr", "es"]),
        ("auf Deutsch", ["de"]),
        ("Polish", ["pl"]),
        ("Polish the floor", []),
        ("polish the song", []),
        ("French kiss", []),
        ("latin pop", []),
        ("a sad song about a mood in summer", []),
        ("hip hop", []),
    ],
)
def test_a_language_counts_where_it_is_named_as_one(text: str, codes: list[str]) -> None:
    assert named_languages(text) == codes


def library(**changes: object) -> Library:
    songs = pd.DataFrame(
        {
            "track_id": [f"t{i}" for i in range(6)],
            "title": ["River", "Luna", "Mer", "Train", "<b>x</b>", None],
            "artist": None,
            "lyrics": ["the river runs", "la luna", "la mer", "a train runs", None, None],
            "language": ["en", "es", "fr", "en", None, None],
            "genre": [None, None, "Hip-Hop", None, None, "Rock"],
        }
    )
    tags = SongTags(
        ("t0", "t3", "t4"),
        ("hip-hop", "sad", "metal"),
        np.array([[0.1, 0.7, 0.0], [0.2, 0.1, 0.0], [0.6, 0.1, 0.8]]),
    )
    values: dict = {"songs": songs, "lyrics": None, "tags": tags, **changes}
    return Library(**values)


def ranked(text: str, of: Library, embed: Embed | None = None) -> list[str]:
    frame, _ = find(text, of, embed, 10)
    return list(frame["track_id"])


def test_songs_in_the_language_that_is_asked_for_come_first() -> None:
    frame, note = find("a song in French", library(), None, 3)
    assert frame["track_id"][0] == "t2"
    assert "in French" in frame["matched"][0]
    assert "in French" not in frame["matched"][1]
    assert note.startswith("Songs in French come first.")


def test_a_language_that_no_song_has_is_said() -> None:
    frame, note = find("a sad song in Dutch", library(), None, 3)
    assert note.startswith("No song of this run is in Dutch")
    assert frame["track_id"][0] == "t0", "the rest of the sentence counts"
    assert "sad 0.70" in frame["matched"][0]


def test_tags_and_given_genres_are_found_however_they_are_spelt() -> None:
    for text in ("hip hop", "hiphop", "a RAP song"):
        assert ranked(text, library())[:2] == ["t2", "t4"]
    assert not any(find("a trap, wrapped", library(), None, 6)[0]["matched"])
    frame, _ = find("Hip Hop", library(), None, 2)
    assert list(frame["matched"]) == ["genre Hip-Hop", "hip-hop 0.60"]


def test_without_an_engine_words_count_as_they_are_written() -> None:
    frame, note = find("luna", library(), None, 2)
    assert frame["track_id"][0] == "t1"
    assert "“luna”" in frame["matched"][0]
    assert "without `e5`" in note
    assert "no tags" in find("luna", library(tags=NO_TAGS), None, 2)[1]


def axes(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors along four axes, by the first word that is known."""
    known = {"sorrow": 0, "sad": 0, "river": 1, "water": 1, "luna": 2, "moon": 2}
    found = np.full((len(texts), 4), 0.1)
    for row, text in enumerate(texts):
        hits = [known[word] for word in text.lower().split() if word in known] or [3]
        found[row, hits[0]] = 1.0
    return np.asarray(found / np.linalg.norm(found, axis=1, keepdims=True))


def test_with_an_engine_meaning_counts() -> None:
    songs = library().songs
    lyrics = (
        axes([str(one or "") for one in songs["lyrics"]])
        * songs["lyrics"].notna().to_numpy()[:, None]
    )
    of = library(lyrics=lyrics)
    assert ranked("water", of, axes)[0] == "t0"
    assert ranked("moon", of, axes)[0] == "t1"
    frame, note = find("moon", of, axes, 1)
    assert "lyrics +" in frame["matched"][0]
    assert "title +" in frame["matched"][0]
    assert "meaning of lyrics" in note


def test_a_named_tag_weighs_more_than_a_near_one() -> None:
    names = ("sad", "hip-hop", "metal", "jazz", "folk", "pop", "rock", "funk")
    weights, named = tag_weights("sad", names, None)
    assert named
    assert list(np.flatnonzero(weights)) == [0]
    near, named = tag_weights("sorrow", names, axes)
    assert not named
    assert 0 < near[0] < weights[0]
    assert not near[1:].any()


def test_a_text_is_not_near_to_lyrics_for_their_language() -> None:
    similarity = np.array([0.9, 0.8, 0.3, 0.2])
    found = without_language(similarity, ["en", "en", "fr", "fr"], np.ones(4, bool))
    assert found[0] - found[1] == pytest.approx(0.1)
    assert (
        abs(found[:2].mean() - found[2:].mean())
        < abs(similarity[:2].mean() - similarity[2:].mean()) / 2
    )


# --- tables ------------------------------------------------------------------------------------


def ask(folder: Path, text: str | None) -> str:
    songs = library().songs
    tracks = tables.empty(tables.TRACKS).reindex(range(6)).assign(
        track_id=songs["track_id"], source_id="s", lyrics=songs["lyrics"],
        lyrics_source="none", split="train", status="ok",
    )  # fmt: skip
    labels = tables.empty(tables.LABELS).reindex(range(6))
    columns = ["track_id", "title", "artist", "language", "genre"]
    labels = labels.assign(**{column: songs[column] for column in columns})
    source = {name: str(folder / f"{name}.parquet") for name in ("tracks", "titles", "classes")}
    tables.write(tracks, source["tracks"], tables.TRACKS)
    for name in ("titles", "classes"):
        tables.write(labels, source[name], tables.LABELS)
    return write_query(
        text, source, model=None, encoder=None, lyrics=None, pretrained=None, seed=0, top=3,  # type: ignore[arg-type]
        device="cpu", csv=folder / "songs.csv", md=folder / "songs.md",
    )  # fmt: skip


def test_the_answer_stands_in_two_tables(tmp_path: Path) -> None:
    said = ask(tmp_path, "the river <b>")
    assert said.splitlines()[1].startswith("  1  ")
    assert "River" in said.splitlines()[1]
    frame = pd.read_csv(tmp_path / "songs.csv")
    assert list(frame.columns) == ["rank", "title", "artist", "score", "matched", "track_id"]
    assert len(frame) == 3
    assert "Compared:" in (tmp_path / "songs.md").read_text(encoding="utf-8")


def test_an_empty_query_says_how_to_ask_and_a_long_one_is_cut(tmp_path: Path) -> None:
    with pytest.raises(SongatlasError, match=r"text: say what to look for, .*--config text="):
        ask(tmp_path, "  \n ")
    assert len(readable_text("word " * 2000)) == MOST_CHARACTERS
    assert "Songs for" in ask(tmp_path, "river " * 2000)


# --- real songs --------------------------------------------------------------------------------

JAMENDO = Path(os.environ.get("JAMENDOLYRICS", "../shared/jamendolyrics"))


@pytest.fixture(scope="module")
def jamendo() -> tuple[Library, Embed]:
    """The 79 songs of JamendoLyrics; tags of none, since hearing them would take minutes."""
    if not (JAMENDO / "JamendoLyrics.csv").is_file():
        pytest.skip("needs the songs of JamendoLyrics (JAMENDOLYRICS=FOLDER)")
    if e5_engine.engine() is None:
        pytest.skip("needs an engine of e5")
    from songatlas.corpus.readers import read
    from songatlas.features.lyrics.clean import clean
    from songatlas.features.lyrics.e5 import E5

    sources = read("jamendolyrics", JAMENDO).sources
    songs = sources.rename(columns={"source_id": "track_id"})
    encoder = E5()

    def embed(texts: Sequence[str]) -> np.ndarray:
        return np.asarray(encoder.transform(list(texts)), np.float64)

    lyrics = embed([clean(str(one)) for one in songs["lyrics"].fillna("")])
    return Library(songs.reset_index(drop=True), lyrics, NO_TAGS), embed


@pytest.mark.slow
def test_asked_on_real_songs(jamendo: tuple[Library, Embed]) -> None:
    of, embed = jamendo

    def languages(text: str, top: int) -> list[str]:
        found = find(text, of, embed, top)[0]["track_id"]
        return list(of.songs.set_index("track_id").loc[found, "language"])

    assert set(languages("a slow sad song in French", 10)) == {"fr"}
    assert set(languages("una canción en español", 5)) == {"es"}
    assert set(languages("ein deutsches Lied", 5)) == {"de"}
    assert len(set(languages("Polish the floor", 10))) > 1
    assert set(languages("French kiss", 10)) != {"fr"}
    for text in ("hip hop", "hiphop", "rap"):
        found, _ = find(text, of, embed, len(of.songs))
        songs = of.songs.set_index("track_id").loc[found["track_id"]]
        heard = songs[songs["audio_path"].notna()]
        assert len(heard) == 10
        assert list(heard["genre"][:3]) == ["Hip-Hop"] * 3
        assert "Hip-Hop" not in set(heard["genre"][3:])
