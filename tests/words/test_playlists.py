"""Playlists: of named clusters, of songs like one, of the way from one song to another."""

import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from songatlas.config.words import Playlist
from songatlas.errors import SongatlasError
from songatlas.evaluation.best import best_representation
from songatlas.words import playlists
from songatlas.words.playlists import (
    Space,
    changes,
    file_name,
    m3u8,
    path_between,
    song_named,
    songs_like,
    write_cluster_playlists,
)
from songatlas.words.tags import SongTags


def songs(folder: Path) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "track_id": ["a1", "b2", "c3", "d4"],
            "audio_path": [str(folder / "in" / f"{i} ñ#.mp3") for i in range(3)] + [None],
            "duration_s": [61.4, 10.0, np.nan, np.nan],
            "title": ["Río\nGrande", "Same", "same", None],
            "artist": ["Ana", None, "Bo", None],
            "language": ["es", "en", "es", None],
        }
    )


def test_a_playlist_has_relative_paths_and_no_line_breaks(tmp_path: Path) -> None:
    text = m3u8(songs(tmp_path), "Sad\nsongs", tmp_path / "results" / "playlists")
    assert text.splitlines() == [
        "#EXTM3U",
        "#PLAYLIST:Sad songs",
        "#EXTINF:61,Ana - Río Grande",
        "../../in/0 ñ#.mp3",
        "#EXTINF:10,Same",
        "../../in/1 ñ#.mp3",
        "#EXTINF:-1,Bo - same",
        "../../in/2 ñ#.mp3",
    ]


def test_a_song_whose_path_has_a_line_break_is_left_out(tmp_path: Path) -> None:
    known = songs(tmp_path)
    known["audio_path"] = ["in/new\nline.mp3", "in/para\u2029graph.mp3", "in/#EXTM3U.mp3", None]
    text = m3u8(known, "songs", tmp_path)
    assert text.count("#EXTINF") == 1
    assert text.splitlines()[-1].endswith("/in/#EXTM3U.mp3")


def test_a_playlist_for_every_named_cluster(tmp_path: Path) -> None:
    named = pd.DataFrame(
        {
            "model": "m",
            "cluster": [0, 0, 1, 2],
            "track_id": ["a1", "b2", "c3", "d4"],
            "name": ["metal, hard rock", "metal, hard rock", "unsure", "Spanish · folk"],
        }
    )
    assert write_cluster_playlists(named, songs(tmp_path), tmp_path / "lists") == 1
    (path,) = (tmp_path / "lists").iterdir()
    assert path.name == "01-metal-hard-rock.m3u8", (
        "unsure has none, nor has a cluster without files"
    )
    assert path.read_text(encoding="utf-8").count("#EXTINF") == 2


def test_file_names_are_safe() -> None:
    assert file_name("Spanish · “<b>/../x”") == "Spanish-b-x"
    assert file_name("···") == "songs"


def test_a_song_is_known_by_title_path_or_id(tmp_path: Path) -> None:
    known = songs(tmp_path)
    assert song_named("río  grande", known) == 0
    assert song_named("c3", known) == 2
    assert song_named("in/1 ñ#.mp3", known) == 1
    with pytest.raises(SongatlasError, match=r"2 songs are called “SAME”.*b2 .*c3 \(Bo"):
        song_named("SAME", known)
    with pytest.raises(SongatlasError, match="no song of this representation is called"):
        song_named("<script>", known)
    with pytest.raises(SongatlasError, match="say which songs"):
        song_named("  ", known)


def test_songs_like_one_in_any_its_own_or_other_languages(tmp_path: Path) -> None:
    space = Space("m", songs(tmp_path), np.array([[0.0], [1.0], [2.0], [0.5]]))
    assert songs_like(space, 0, "any")[0].tolist() == [0, 3, 1, 2]
    assert songs_like(space, 0, "same")[0].tolist() == [0, 2]
    assert songs_like(space, 0, "other")[0].tolist() == [0, 1]
    assert songs_like(space, 0, "any")[1].tolist() == [0.0, 0.5, 1.0, 2.0]
    with pytest.raises(SongatlasError, match=r"language of .* is not known"):
        songs_like(space, 3, "same")


def test_a_way_goes_in_even_steps_and_plays_no_song_twice() -> None:
    z = np.array([[0.0, 0], [10, 0], [5.1, 0], [2.4, 0], [7.6, 0], [2.6, 9], [5, 8]])
    assert path_between(z, 0, 1, 5).tolist() == [0, 3, 2, 4, 1]
    assert path_between(z, 1, 0, 3).tolist() == [1, 2, 0]
    assert sorted(path_between(z, 0, 1, 50)) == list(range(7))


def test_a_way_says_what_changes() -> None:
    tags = SongTags(
        ("a", "b"), ("rock", "sexy", "folk"), np.array([[0.8, 0, 0.1], [0.1, 0.9, 0.5]])
    )
    told = changes(["a", "b", "c"], ["en", "es", None], tags)
    assert told == ["", "in Spanish, − rock, + folk", ""]


def test_make_hands_titles_on_whatever_they_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKE", """it's "$5" \\ {a}""")
    monkeypatch.setenv("N", "7")
    for name in ("FROM", "TO", "MODEL", "LANGUAGES"):
        monkeypatch.delenv(name, raising=False)
    settings = Playlist.model_validate_json(playlists.asked())
    assert settings.like == """it's "$5" \\ {a}"""
    assert settings.songs == 7


def test_make_reads_nothing_in_titles() -> None:
    title = """it's "$5" $(shell echo run) ${x} `y` {a}"""
    show = "show-titles: ; @printenv LIKE FROM TO"
    command = ["make", "--silent", f"--eval={show}", "show-titles"]
    given = [f"{name}={title} {name}" for name in ("LIKE", "FROM", "TO")]
    shown = subprocess.run([*command, *given], cwd=ROOT, capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == [f"{title} {name}" for name in ("LIKE", "FROM", "TO")]


def comparison(**nmi: float) -> pd.DataFrame:
    rows = [
        {"model": model, "task": "genre", "level": "song", "supervision": "none", "nmi_mean": value}
        for model, value in nmi.items()
    ]
    columns = ["model", "task", "level", "supervision", "nmi_mean"]
    return pd.DataFrame(rows, columns=columns).assign(chance_nmi=0.1, note=None)


def test_the_best_representation_is_furthest_above_chance_by_labels() -> None:
    table = comparison(pca=0.3, musicnn=0.6, cvae=0.9)
    table.loc[table["model"] == "cvae", "supervision"] = "labels"
    assert best_representation(table, ["pca", "musicnn", "cvae"]).model == "musicnn"
    assert best_representation(table, ["pca"]).model == "pca"
    table.loc[table["model"] == "musicnn", "note"] = "control of cvae: untrained"
    assert best_representation(table, ["pca", "musicnn"]).model == "pca"


def test_without_labels_a_deep_clustering_of_both_stands_for_the_run() -> None:
    able = ["pca", "vade_musicnn", "multimodal_vade"]
    best = best_representation(comparison(), able)
    assert best.model == "multimodal_vade"
    assert "no label" in best.why
    assert best_representation(comparison(), able[:2]).model == "vade_musicnn"
    assert best_representation(comparison(), able[:1]).model == "pca"
