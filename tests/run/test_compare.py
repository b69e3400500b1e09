"""Two runs side by side."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from songatlas import tables
from songatlas.report import compare
from songatlas.run.versions.run import RunError


def labels(values: list[int]) -> pd.Series:
    return pd.Series(values, index=[f"t{number}" for number in range(len(values))])


@settings(deadline=None)  # the first call imports scipy
@given(st.lists(st.integers(0, 4), min_size=1, max_size=30), st.permutations(range(5)))
def test_other_numbers_for_the_same_clusters_move_nothing(
    values: list[int], names: list[int]
) -> None:
    assert compare.moved(labels(values), labels([names[value] for value in values])) == []


def test_a_song_that_left_its_cluster_is_named() -> None:
    assert compare.moved(labels([0, 0, 0, 1, 1, 1]), labels([1, 1, 0, 0, 0, 0])) == ["t2"]


def test_songs_of_a_cluster_without_a_partner_moved() -> None:
    assert compare.moved(labels([0, 0, 0, 1, 1, 2]), labels([5, 5, 5, 6, 6, 6])) == ["t5"]


def test_only_songs_of_both_runs_count() -> None:
    assert compare.moved(labels([0, 1, 1]), labels([0, 1])) == []


def test_settings_that_differ_are_listed_by_key() -> None:
    first = {"run": "a", "models": {"m": {"beta": 4.0}}, "seeds": [0]}
    second = {"run": "b", "models": {"m": {"beta": 2.0}, "n": {"beta": 1.0}}, "seeds": [0]}
    found = compare.settings(first, second)
    assert found.to_numpy().tolist() == [
        ["models.m.beta", "4.0", "2.0"],
        ["models.n.beta", "", "1.0"],
    ]


def write_run(name: str, nmi: float, clusters: list[int], beta: float) -> None:
    folder = Path("results") / name
    tracks = ["x" * 15 + str(number) for number in range(len(clusters))]
    for part in ("tables", "corpus", "clusters/m"):
        (folder / part).mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump({"run": name, "beta": beta}))
    row = {"model": "m", "task": "genre", "level": "song"}
    row |= {"nmi_mean": nmi, "nmi_sd": 0.01, "chance_nmi": 0.1}
    pd.DataFrame([row]).to_csv(folder / "tables/comparison.csv", index=False)
    frame = tables.empty(tables.LABELS).reindex(range(len(tracks)))
    frame["track_id"] = tracks
    frame["title"] = [f"Song {number} | <b>" for number in range(len(tracks))]
    tables.write(frame, folder / "corpus/labels.parquet", tables.LABELS)
    frame = tables.empty(tables.CLUSTERS).reindex(range(len(tracks)))
    frame["track_id"], frame["level"], frame["algorithm"] = tracks, "song", "kmeans"
    frame["k"], frame["label"] = 2, np.array(clusters)
    dense = frame.assign(algorithm="dbscan", k=pd.NA)
    frame = pd.concat([frame, dense.astype(frame.dtypes.drop("k"))], ignore_index=True)
    tables.write(frame, folder / "clusters/m/seed-0.parquet", tables.CLUSTERS)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run("one", 0.5, [0, 0, 1, 1], 4.0)
    write_run("two", 0.75, [1, 1, 0, 1], 2.0)


@pytest.mark.usefixtures("runs")
def test_the_page_has_settings_scores_and_songs() -> None:
    text = compare.page("one", "two")
    rows = [[cell.strip() for cell in line.split(" | ")] for line in text.splitlines()]
    flat = [" ".join(row) for row in rows]
    assert any("beta 4.0 2.0" in line for line in flat)
    assert any("genre song m 0.500 0.750 0.250" in line for line in flat)
    assert any("m 0 2 4 1 Song 3" in line for line in flat)


@pytest.mark.usefixtures("runs")
def test_names_that_pandas_takes_for_missing_values_stay_names() -> None:
    for name in ("one", "two"):
        path = Path("results") / name / "tables/comparison.csv"
        pd.read_csv(path).assign(model="nan").to_csv(path, index=False)
    flat = [" ".join(line.split(" | ")) for line in compare.page("one", "two").splitlines()]
    assert any("genre song nan 0.500 0.750 0.250" in " ".join(line.split()) for line in flat)


@pytest.mark.usefixtures("runs")
def test_titles_cannot_break_the_page() -> None:
    (line,) = [line for line in compare.page("one", "two").splitlines() if "Song 3" in line]
    assert "Song 3 \\| &lt;b>" in line


@pytest.mark.usefixtures("runs")
def test_an_unfinished_run_is_named() -> None:
    Path("results/two/config.yaml").unlink()
    with pytest.raises(compare.CompareError, match=r"results/two/config\.yaml"):
        compare.page("one", "two")


@pytest.mark.usefixtures("runs")
def test_an_absent_run_is_named_with_those_there_are() -> None:
    with pytest.raises(RunError, match=r"there are: one, two"):
        compare.page("one", "three")
