"""A song's neighbours as an answer: in any language, in its own, in others; what both have."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songatlas import tables
from songatlas.config.words import Query
from songatlas.errors import ConfigError, SongatlasError
from songatlas.plan.workflow import Plan
from songatlas.words.like import COLUMNS, in_both, write_like
from songatlas.words.tags import SongTags

TITLES = ("Río", "Luna", "River", "Same", "Same", None)
LANGUAGES = ("es", "es", "en", "en", "de", None)


@pytest.fixture
def source(tmp_path: Path) -> dict[str, object]:
    """Six songs on a line, each further from the one before; a comparison that judges nothing."""
    ids = [f"{i:016x}" for i in range(6)]
    tracks = tables.empty(tables.TRACKS).reindex(range(6)).assign(
        track_id=ids, source_id="s", audio_path=[f"in/{i}.mp3" for i in range(6)],
        lyrics_source="none", split="train", status="ok",
    )  # fmt: skip
    labels = tables.empty(tables.LABELS).reindex(range(6))
    shown = {
        "title": pd.Series(TITLES, dtype=object),
        "language": pd.Series(LANGUAGES, dtype=object),
    }
    labels = labels.assign(track_id=ids, **shown)
    z = np.arange(6.0)[:, None] ** 2
    latents = tables.latents_frame("song", None, ids, ["train"] * 6, z)
    paths = {name: str(tmp_path / f"{name}.parquet") for name in ("tracks", "labels", "latents")}
    tables.write(tracks, paths["tracks"], tables.TRACKS)
    tables.write(labels, paths["labels"], tables.LABELS)
    tables.write(latents, paths["latents"], tables.LATENTS, {"model": "pca"})
    columns = ["model", "task", "level", "supervision", "nmi_mean", "chance_nmi", "note"]
    pd.DataFrame(columns=columns).to_csv(tmp_path / "comparison.csv", index=False)
    return paths | {"comparison": str(tmp_path / "comparison.csv"), "latents": [paths["latents"]]}


def ask(source: dict[str, object], folder: Path, **query: object) -> pd.DataFrame:
    settings = Query.model_validate(query)
    write_like(source, ["pca"], settings, folder / "songs.csv", folder / "songs.md")
    return pd.read_csv(folder / "songs.csv")


def test_neighbours_in_any_its_own_or_other_languages(
    source: dict[str, object], tmp_path: Path
) -> None:
    any_language = ask(source, tmp_path, like="río", top=3)
    assert list(any_language.columns) == list(COLUMNS)
    assert list(any_language["title"]) == ["Luna", "River", "Same"]
    assert list(any_language["matched"]) == ["in Spanish", "in English", "in English"]
    assert list(any_language["distance"]) == [1.0, 4.0, 9.0]
    assert list(ask(source, tmp_path, like="río", languages="same")["title"]) == ["Luna"]
    others = ask(source, tmp_path, like="in/0.mp3", languages="other")
    assert list(others["matched"]) == ["in English", "in English", "in German"]
    said = (tmp_path / "songs.md").read_text(encoding="utf-8")
    assert "Songs like Río" in said
    assert "Nearest in pca, in other languages." in said


def test_what_cannot_be_answered_says_why(source: dict[str, object], tmp_path: Path) -> None:
    refused = {
        r"query\.like: 2 songs are called “same”": {"like": "same"},
        r"query\.like: no song of this representation is called “<b>": {"like": "<b>"},
        r"query\.like: say which song": {"like": " \n"},
        r"query\.model: this run has no `cvae`; there are pca": {"like": "luna", "model": "cvae"},
        r"query\.languages: the language of .* is not known": {
            "like": "in/5.mp3",
            "languages": "other",
        },
        r"query\.languages: Same has no neighbour: .* its own language; set it to `any`": {
            "like": "in/4.mp3",
            "languages": "same",
        },
    }
    for message, query in refused.items():
        with pytest.raises(SongatlasError, match=message):
            ask(source, tmp_path, **query)


def test_tags_that_both_songs_have_are_said() -> None:
    names = ("sexy", "rock", "guitar", "folk")
    tags = SongTags(
        ("a", "b", "c"), names, np.array([[0.9, 0.8, 0.3, 0], [0.9, 0.2, 0.6, 1], [0, 0, 0.05, 0]])
    )
    said = in_both("a", ["b", "c", "unheard"], tags)
    assert said == ["guitar 0.30, rock 0.20", "", ""], "opinions are never shown"


def test_a_query_answers_a_text_or_a_song() -> None:
    assert Plan({"query": {"like": "Luna"}}).query_model is None
    with pytest.raises(ConfigError, match=r"query\.like: `text` is given too"):
        Plan({"text": "a song", "query": {"like": "Luna"}}).query_model  # noqa: B018
