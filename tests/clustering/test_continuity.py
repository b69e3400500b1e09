"""Clusters keep their numbers when a clustering is made again."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songatlas import tables
from songatlas.clustering.continuity import continued, renumber
from songatlas.evaluation.continuity_table import continuity_table


def labelled(**songs: int) -> pd.Series:
    return pd.Series(songs)


def clusters(level: str, labels: pd.Series, k: int | None, windows: int = 0) -> pd.DataFrame:
    """Rows of the clusters table; with `windows`, so many of every song, all in its cluster."""
    points = [(song, f"{song}-{w}") for song in labels.index for w in range(windows)]
    points = points or [(song, None) for song in labels.index]
    return pd.DataFrame(
        {
            "level": level,
            "window_id": [window for _, window in points],
            "track_id": [song for song, _ in points],
            "algorithm": "kmeans",
            "k": pd.array([k] * len(points), dtype="Int32"),
            "label": np.array([labels[song] for song, _ in points], np.int32),
            "probability": np.float32(np.nan),
        }
    )


def test_clusters_of_the_same_songs_keep_their_numbers() -> None:
    before = labelled(a=0, b=0, c=1, d=1, e=2)
    found = renumber(labelled(a=2, b=2, c=0, d=0, e=1), before)
    assert list(found.applied(np.array([2, 2, 0, 0, 1, -1]))) == [0, 0, 1, 1, 2, -1]
    assert found.rows["share"].eq(1.0).all()
    assert found.rows["old_number"].eq(found.rows["new_number"]).all()


def test_songs_that_came_and_left_are_no_disagreement() -> None:
    before = labelled(gone=0, a=0, b=0, c=1)
    rows = renumber(labelled(a=1, b=1, c=0, new=0), before).rows
    assert rows["songs_shared"].tolist() == [2, 1]
    assert rows["share"].tolist() == [1.0, 1.0]


def test_the_assignment_shares_most_songs_and_says_how_many() -> None:
    before = labelled(a=0, b=0, c=0, d=1, e=1, f=1)
    found = renumber(labelled(a=0, b=1, c=1, d=0, e=0, f=0), before)
    assert list(found.number_of) == [1, 0]
    assert found.rows["songs_shared"].tolist() == [2, 3]
    assert found.rows["share"].tolist() == [pytest.approx(2 / 3), pytest.approx(3 / 4)]


def test_new_clusters_take_the_numbers_that_are_left() -> None:
    before = labelled(a=0, b=2, noise=-1, gone=1)
    found = renumber(labelled(a=1, b=0, noise=2, new=-1), before)
    assert list(found.number_of) == [2, 0, 1]
    rows = found.rows.astype(object).where(found.rows.notna(), None)
    pairs = list(zip(rows["old_number"], rows["new_number"], strict=True))
    assert pairs == [(0, 0), (1, None), (2, 2), (None, 1)]


def test_numbers_beyond_the_new_k_are_given_up() -> None:
    found = renumber(labelled(a=0, b=1), labelled(a=7, b=0))
    assert list(found.number_of) == [1, 0]


@pytest.mark.parametrize("before", [pd.Series(dtype=int), labelled(other=3)])
def test_without_shared_songs_the_numbers_stay_as_they_are(before: pd.Series) -> None:
    assert list(renumber(labelled(a=1, b=0, c=-1), before).number_of) == [0, 1]


def test_noise_alone_has_no_numbers() -> None:
    assert list(renumber(labelled(a=-1), labelled(a=0)).applied(np.array([-1]))) == [-1]


def test_the_nearest_k_is_continued_where_k_is_new() -> None:
    before = pd.concat(
        [
            clusters("song", labelled(a=0, b=1, c=1, d=1), 2),
            clusters("song", labelled(a=3, b=2, c=1, d=0), 4),
        ]
    )
    now, rows = continued(clusters("song", labelled(a=1, b=0, c=0, d=2), 3), before)
    assert now["label"].tolist() == [0, 1, 1, 2]
    assert rows["k"].eq(3).all()
    assert rows["songs_shared"].tolist() == [1, 2, 0]


def test_votes_follow_the_windows_that_voted() -> None:
    old, new = labelled(a=0, b=1, c=2), labelled(a=2, b=0, c=1)
    before = pd.concat([clusters("window", old, 3, 2), clusters("song_vote", old, 3)])
    votes = clusters("song_vote", new[["a", "b"]], 3)
    both = pd.concat([votes, clusters("window", new, 3, 2)], ignore_index=True)
    now, rows = continued(both, before)
    assert now["label"].tolist() == [0, 1, 0, 0, 1, 1, 2, 2]
    assert rows.empty


def test_the_first_clustering_continues_nothing() -> None:
    first = clusters("song", labelled(a=1, b=0), 2)
    now, rows = continued(first, None)
    assert now is first
    assert rows.empty


def test_the_table_names_representations(tmp_path: Path) -> None:
    paths = []
    for model in ("vade", "pca"):
        before = clusters("song", labelled(a=0, b=1), 2)
        _, rows = continued(clusters("song", labelled(a=1, b=0), 2), before)
        paths.append(tmp_path / f"{model}.parquet")
        tables.write(rows, paths[-1], tables.CONTINUITY, {"model": model})
    frame = continuity_table(paths)
    assert frame["representation"].tolist() == ["pca", "pca", "vade", "vade"]
    assert frame["new_number"].tolist() == [0, 1, 0, 1]


def test_a_damaged_table_is_no_past(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "clusters.parquet"
    path.write_bytes(b"no table")
    assert tables.read_previous(path, tables.CLUSTERS) is None
    assert "clusters.parquet" in caplog.text


def test_of_a_model_with_views_together_goes_on() -> None:
    songs, turned = labelled(a=0, b=0, c=1, d=1), labelled(a=1, b=1, c=0, d=0)
    before = pd.concat(
        [
            clusters("song", songs, 2).assign(view="together"),
            clusters("song", turned, 2).assign(view="words"),
        ],
        ignore_index=True,
    )
    again = before.assign(label=1 - before["label"])
    now, rows = continued(again, before)
    assert now.loc[now["view"] == "together", "label"].tolist() == [0, 0, 1, 1]
    assert now.loc[now["view"] == "words", "label"].tolist() == [0, 0, 1, 1]
    assert rows["songs_shared"].tolist() == [2, 2]
