"""Views of the corpus: what a later stage does not read does not change its view."""

from pathlib import Path

import pandas as pd

from songatlas import tables
from songatlas.config.corpus import Split, Windows
from songatlas.corpus.build import build_corpus
from songatlas.corpus.probe import PROBED
from songatlas.corpus.result import sources_frame
from songatlas.corpus.views import CONTENT, write_views

NAMES = ("songs", "audio_windows", "language", "genre", "classes", "shown", "titles", "factors")


def song(name: str, **columns: object) -> dict:
    row = {"source_id": name, "audio_path": f"{name}.mp3", "language": "en", "genre": "pop"}
    return row | {"title": name, "lyrics": f"words of {name}", "lyrics_source": "file"} | columns


def views(folder: Path, *songs: dict) -> dict[str, bytes]:
    probed = [
        {
            "source_id": row["source_id"],
            "track_id": row["lyrics"].replace(" ", "-"),
            "duration_s": 60.0,
            "sample_rate_hz": 22050,
            "channels": 1,
        }
        for row in songs
    ]
    corpus = build_corpus(
        sources_frame(list(songs)),
        pd.DataFrame(probed, columns=list(PROBED.columns)),
        tables.empty(tables.REJECTS),
        tables.empty(tables.WARNINGS),
        Windows(),
        Split(),
        "music",
    )
    outputs = {name: folder / f"{name}.parquet" for name in NAMES}
    write_views(corpus, outputs, [folder / f"shard-{shard}.parquet" for shard in range(2)])
    return {path.stem: path.read_bytes() for path in sorted(folder.iterdir())}


def changed(tmp_path: Path, **columns: object) -> set[str]:
    """Views that differ after an edit of one of two songs."""
    before = views(tmp_path / "before", song("a"), song("b"))
    after = views(tmp_path / "after", song("a", **{"lyrics": "words of a"} | columns), song("b"))
    assert before.keys() == after.keys() == {*NAMES, "shard-0", "shard-1"}
    return {name for name, content in before.items() if after[name] != content}


def test_where_a_song_lies_and_what_it_is_called_there_change_no_view(tmp_path: Path) -> None:
    assert changed(tmp_path, source_id="z", audio_path="elsewhere/z.mp3") == set()


def test_a_label_changes_the_views_that_hold_it(tmp_path: Path) -> None:
    assert changed(tmp_path, genre="rock") == {"genre", "classes", "shown", "factors"}


def test_a_title_changes_titles_alone(tmp_path: Path) -> None:
    assert changed(tmp_path, title="other") == {"titles"}


def test_a_factor_changes_factors_alone(tmp_path: Path) -> None:
    assert changed(tmp_path, factor_tempo_bpm=90.0) == {"factors"}
    frame = tables.read(tmp_path / "after" / "factors.parquet", tables.LABELS)
    assert frame["factor_tempo_bpm"].tolist()[0] == 90.0
    assert frame["language"].tolist() == ["en", "en"]
    assert frame["title"].isna().all()


def test_other_content_is_another_song(tmp_path: Path) -> None:
    views_of_features = {"songs", "audio_windows", "language", "genre", "classes", "titles"}
    views_of_features |= {"shown", "factors"}
    assert changed(tmp_path, lyrics="other words") >= views_of_features


def test_detected_languages_are_shown_and_count_in_no_score(tmp_path: Path) -> None:
    words = "La luna sale sobre el río y nosotros caminamos hacia la casa donde mi madre espera"
    views(tmp_path, song("a", lyrics=words, language=None), song("b"))
    languages = {
        name: tables.read(tmp_path / f"{name}.parquet", tables.LABELS)["language"].dropna().tolist()
        for name in ("shown", "classes", "language", "factors")
    }
    given = ["en"]
    assert languages == {
        "shown": ["es", "en"],
        "classes": given,
        "language": given,
        "factors": given,
    }


def test_views_are_tables_that_their_readers_know(tmp_path: Path) -> None:
    views(tmp_path, song("a"), song("b"))
    assert len(tables.read(tmp_path / "songs.parquet", tables.TRACKS)) == 2
    windows = tables.read(tmp_path / "audio_windows.parquet", tables.WINDOWS)
    assert windows["lyrics"].isna().all()
    labels = tables.read(tmp_path / "genre.parquet", tables.LABELS)
    assert labels["genre"].tolist() == ["pop", "pop"]
    assert labels["language"].isna().all()
    shards = [tables.read(tmp_path / f"shard-{shard}.parquet", CONTENT) for shard in range(2)]
    assert sum(map(len, shards)) == len(windows)
