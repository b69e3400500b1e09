"""MIG, SAP and DCI on constructions whose answer is known, their chance, and their table."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from songatlas import tables
from songatlas.config.evaluation import Disentanglement
from songatlas.evaluation.disentanglement import (
    METRICS,
    Measured,
    concentration,
    dci_disentanglement,
    disentanglement,
    folds,
    mutual_information,
    predictability,
)
from songatlas.evaluation.disentanglement_table import (
    BOUND,
    BOUND_HELD_OUT,
    bound_correlation,
    gather,
    measure,
    window_attributes_of,
    write_disentanglement,
    write_table,
)
from songatlas.evaluation.factors import Factor, factor
from songatlas.report.figures.traversal import closest, correlation_matches, matches

N = 180


def known_factors(rng: np.random.Generator) -> list[Factor]:
    return [
        Factor("genre", rng.permutation(np.arange(N) % 3), categorical=True),
        Factor("key", rng.permutation(np.arange(N) % 4), categorical=True),
        Factor("tempo", rng.uniform(80, 140, N), categorical=False),
    ]


def axis_aligned(factors: list[Factor], rng: np.random.Generator) -> np.ndarray:
    """One dimension per factor, scaled and shifted, and three of noise."""
    columns = [factor.values * (3.0, -1.0, 0.1)[i] + 7.0 for i, factor in enumerate(factors)]
    noise = rng.standard_normal((N, 3))
    # Classes are ordered along their dimension, with a little noise.
    return np.column_stack(columns + list(noise.T)) + 0.01 * rng.standard_normal((N, 6))


def rotated(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    standard = (z - z.mean(0)) / z.std(0)
    q, _ = np.linalg.qr(rng.standard_normal((z.shape[1], z.shape[1])))
    return standard @ q


def measured(z: np.ndarray, factors: list[Factor], **options: int) -> Mapping[str, Measured]:
    """Rows over all factors, by metric."""
    given = {"permutations": 2, "trees": 8, "seed": 0} | options
    rows = disentanglement(z, np.arange(len(z)), factors, **given)
    return {row.metric: row for row in rows if row.factor == "all"}


def test_axis_aligned_latents_come_apart_rotated_ones_do_not_and_noise_is_chance() -> None:
    rng = np.random.default_rng(0)
    factors = known_factors(rng)
    z = axis_aligned(factors, rng)
    apart, mixed = measured(z, factors), measured(rotated(z, rng), factors)
    noise = measured(rng.standard_normal((N, 6)), factors)
    for metric in ("mig", "sap", "dci_disentanglement", "dci_completeness"):
        assert apart[metric].value > 0.75, metric
        assert mixed[metric].value < 0.5 * apart[metric].value, metric
        assert noise[metric].value == pytest.approx(noise[metric].chance, abs=0.08), metric
        assert apart[metric].chance < 0.1, metric
    # A rotation hides nothing: the factors can still be told, if less well by a forest.
    assert apart["dci_informativeness"].value > 0.95
    assert mixed["dci_informativeness"].value > 0.4
    assert noise["dci_informativeness"].value < 0.1


def test_a_factor_in_two_dimensions_is_complete_in_none() -> None:
    rng = np.random.default_rng(1)
    [genre, *_] = known_factors(rng)
    z = np.column_stack([genre.values, genre.values, rng.standard_normal(N)])
    z = z + 0.01 * rng.standard_normal(z.shape)
    rows = disentanglement(z, np.arange(N), [genre], permutations=0, trees=8, seed=0)
    of = {row.metric: row for row in rows if row.factor == "genre"}
    assert of["mig"].value == pytest.approx(0.0, abs=0.02)
    assert of["sap"].value == pytest.approx(0.0, abs=0.02)
    assert of["dci_completeness"].value < 0.5
    assert of["dci_informativeness"].value > 0.95
    assert np.isnan(of["mig"].chance)
    [together] = [row for row in rows if row.metric == "dci_disentanglement"]
    assert np.isnan(together.value)
    assert together.note == "needs two factors"


def test_mutual_information_is_a_share_of_the_entropy() -> None:
    classes = np.repeat(np.arange(4), 100)
    z = np.column_stack([classes, classes // 2, np.zeros(400)]).astype(float)
    assert mutual_information(z, classes, True) == pytest.approx([1.0, 0.5, 0.0])
    # Any growing function of a dimension is the same dimension.
    numbers = np.random.default_rng(0).uniform(size=400)
    z = np.column_stack([numbers, np.exp(5 * numbers)])
    share = mutual_information(z, numbers, False)
    assert share == pytest.approx([1.0, 1.0])


def test_predictability_is_zero_for_a_guess() -> None:
    rng = np.random.default_rng(2)
    classes = np.arange(300) % 3
    z = np.column_stack([classes + 0.01 * rng.standard_normal(300), np.zeros(300)])
    assert predictability(z, classes, np.arange(300), True) == pytest.approx([1.0, 0.0])
    tempo = rng.uniform(size=300)
    z = np.column_stack([-tempo, np.ones(300), rng.standard_normal(300)])
    assert predictability(z, tempo, np.arange(300), False) == pytest.approx([1, 0, 0], abs=0.03)


def test_windows_of_a_song_are_on_one_side_and_every_fold_has_every_class() -> None:
    songs = np.repeat(np.arange(24), 5)
    values = (np.arange(24) % 3)[songs]
    masks = folds(songs, values)
    assert np.array_equal(np.sum(masks, axis=0), np.ones(120))
    for held in masks:
        assert not set(songs[held]) & set(songs[~held])
        assert set(values[held]) == {0, 1, 2}


def test_windows_that_tell_the_song_apart_do_not_count_as_telling_its_factor() -> None:
    """A dimension that numbers the songs would give the factor away without grouped folds."""
    rng = np.random.default_rng(3)
    songs = np.repeat(np.arange(24), 10)
    z = rng.standard_normal((24, 8))[songs] + 0.01 * rng.standard_normal((240, 8))
    genre = Factor("genre", rng.permutation(np.arange(24) % 2), categorical=True)
    rows = disentanglement(z, songs, [genre], permutations=0, trees=8, seed=0)
    [row] = [r for r in rows if (r.metric, r.factor) == ("dci_informativeness", "genre")]
    assert row.value < 0.5


def test_of_many_points_a_sample_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("songatlas.evaluation.disentanglement.MOST_POINTS", 100)
    rng = np.random.default_rng(0)
    factors = known_factors(rng)
    found = measured(axis_aligned(factors, rng), factors, permutations=0, trees=4)
    assert found["mig"].n == 100
    assert found["mig"].value > 0.6


def test_concentration() -> None:
    found = concentration(np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]]))
    assert found == pytest.approx([1.0, 0.0, 0.0])
    assert dci_disentanglement(np.eye(3)) == pytest.approx(1.0)
    assert dci_disentanglement(np.ones((4, 3))) == pytest.approx(0.0, abs=1e-12)


def test_the_same_seed_gives_the_same_numbers() -> None:
    rng = np.random.default_rng(0)
    factors = known_factors(rng)
    z = rng.standard_normal((N, 4))
    first, second = (measured(z, factors[:1], permutations=1, trees=2) for _ in range(2))
    assert str(first) == str(second)


# --- factors -----------------------------------------------------------------------------------


def labels_frame(n: int = 16) -> pd.DataFrame:
    frame = tables.empty(tables.LABELS).reindex(range(n))
    return frame.assign(
        track_id=[f"t{i:02d}" for i in range(n)],
        language=["en", "es"] * (n // 2),
        genre=None,
        factor_tempo_bpm=np.linspace(80, 120, n),
        factor_key=np.arange(n) % 4,
        factor_loud=[True, False] * (n // 2),
        factor_same="x",
        factor_own=[f"song {i}" for i in range(n)],
    )


def test_factors_are_classes_or_numbers() -> None:
    labels = labels_frame()
    ids = [*labels["track_id"], "t99"]
    kinds = {n: factor(labels, n, ids) for n in ("language", "tempo_bpm", "key", "loud")}
    assert {n: f.categorical for n, f in kinds.items()} == {
        "language": True,
        "tempo_bpm": False,
        "key": True,
        "loud": True,
    }
    assert kinds["tempo_bpm"].values[0] == 80.0
    assert all(f.known.tolist() == [True] * 16 + [False] for f in kinds.values())
    assert all(f.problem() is None for f in kinds.values())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("same", "one value only"),
        ("genre", "no song has it"),
        ("swing", "no song has it"),
        ("own", "no song has it"),
    ],
)
def test_factors_of_which_nothing_can_be_said(name: str, said: str) -> None:
    labels = labels_frame()
    assert factor(labels, name, list(labels["track_id"])).problem() == said


def test_few_songs_are_too_few() -> None:
    labels = labels_frame(6)
    problem = factor(labels, "language", list(labels["track_id"])).problem()
    assert problem == "6 songs have it, fewer than 12"


# --- the table ---------------------------------------------------------------------------------

SETTINGS = Disentanglement(
    factors=["language", "genre", "tempo_bpm", "swing"], permutations=2, trees=4
)


def latents_frame(labels: pd.DataFrame, dims: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = len(labels)
    z = rng.standard_normal((2 * n, dims))
    z[:, 0] = np.tile(labels["factor_tempo_bpm"], 2)
    ids, splits = list(labels["track_id"]), ["train"] * (n - 4) + ["validation"] * 4
    windows = [f"{t}-{i}" for i in range(2) for t in ids]
    of_windows = tables.latents_frame("window", windows, ids * 2, splits * 2, z)
    of_songs = tables.latents_frame("song", None, ids, splits, (z[:n] + z[n:]) / 2)
    return pd.concat([of_windows, of_songs], ignore_index=True)


def rows_of(seed: int = 0, **options: object) -> pd.DataFrame:
    labels = labels_frame()
    given: dict = {"supervision": "none", "note": None, "settings": SETTINGS, "evaluation_seed": 0}
    return measure(latents_frame(labels), labels, model="vae", seed=seed, **(given | options))


def test_every_level_factor_and_metric_has_a_row() -> None:
    rows = rows_of().set_index(["level", "factor", "metric"])
    for level, n in (("window", 32), ("song", 16)):
        assert rows.loc[(level, "tempo_bpm", "mig"), "value"] > 0.5
        assert rows.loc[(level, "tempo_bpm", "mig"), "n"] == n
        assert np.isnan(rows.loc[(level, "genre", "mig"), "value"])
        assert rows.loc[(level, "genre", "mig"), "note"] == "no song has it"
        assert rows.loc[(level, "all", "sap"), "note"] == "mean over language, tempo_bpm"
        mean = rows.loc[[(level, f, "sap") for f in ("language", "tempo_bpm")], "value"].mean()
        assert rows.loc[(level, "all", "sap"), "value"] == pytest.approx(mean)
    per_factor = len(METRICS) - 1
    assert len(rows) == 2 * (4 * per_factor + len(METRICS))


def test_a_model_without_latents_has_null_rows_with_its_note() -> None:
    empty = tables.empty(tables.LATENTS)
    rows = measure(
        empty,
        labels_frame(),
        model="vae",
        seed=0,
        supervision="none",
        note="not trained",
        settings=SETTINGS,
        evaluation_seed=0,
        bound={"tempo": 0},
        attributes=pd.DataFrame({"window_id": ["t00-0"], "tempo": [100.0]}),
    )
    assert rows["value"].isna().all()
    assert rows["note"].str.startswith("not trained; ").all()
    assert set(rows["factor"]) == {*SETTINGS.factors, "all", "tempo"}


def test_bound_dimensions_are_reported_over_all_and_held_out_windows() -> None:
    labels = labels_frame()
    windows = latents_frame(labels).query("level == 'window'")
    tempo = np.stack(list(windows["z"]))[:, 0] ** 3
    attributes = pd.DataFrame({"window_id": windows["window_id"], "tempo": tempo})
    rows = rows_of(bound={"tempo": 0}, attributes=attributes)
    bound = rows[rows["factor"] == "tempo"].set_index("metric")
    assert bound.loc[BOUND, "value"] == pytest.approx(1.0)
    assert bound.loc[BOUND, "n"] == 32
    assert bound.loc[BOUND_HELD_OUT, "n"] == 8
    assert "dimension 0" in bound.loc[BOUND, "note"]


def test_correlation_of_a_bound_dimension_leaves_unknown_windows_out() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal(60)
    attribute = np.where(np.arange(60) < 10, np.nan, -np.exp(z))
    songs = [f"s{i // 3}" for i in range(60)]
    value, chance, n = bound_correlation(z, attribute, songs, permutations=20, seed=0)
    assert value == pytest.approx(-1.0)
    assert 0.0 < chance < 0.3
    assert n == 50
    none = bound_correlation(z, np.full(60, 5.0), songs, permutations=2, seed=0)
    assert np.isnan(none[0])


def test_attributes_of_windows_are_read_from_every_part(tmp_path: Path) -> None:
    paths = [tmp_path / f"part-{i}.parquet" for i in range(2)]
    for i, path in enumerate(paths):
        values = np.full((3, 8, 30), -20.0 - 10 * i, np.float16)
        tables.write_feature(path, "logmel", [f"w{i}{j}" for j in range(3)], values, units="dB")
    found = window_attributes_of(paths, ["loudness"], 20.0).set_index("window_id")["loudness"]
    assert found["w02"] == pytest.approx(-20.0, abs=1e-3)
    assert found["w10"] == pytest.approx(-30.0, abs=1e-3)
    assert len(found) == 6


def test_table_is_gathered_over_seeds_and_written_in_three_forms(tmp_path: Path) -> None:
    labels = labels_frame()
    latents = latents_frame(labels)
    tables.write(labels, tmp_path / "factors.parquet", tables.LABELS)
    info = {"model": "vae", "supervision": "labels", "note": ""}
    tables.write(latents, tmp_path / "latents.parquet", tables.LATENTS, info)
    paths = []
    for seed in (0, 1):
        paths.append(tmp_path / f"seed-{seed}.parquet")
        write_disentanglement(
            tmp_path / "latents.parquet",
            tmp_path / "factors.parquet",
            paths[-1],
            model="vae",
            seed=seed,
            settings=SETTINGS,
            evaluation_seed=0,
        )
    out = {kind: tmp_path / f"table.{kind}" for kind in ("csv", "md", "tex")}
    write_table(paths, **out, models=["vae"], corpus_name="A corpus")
    frame = pd.read_csv(out["csv"])
    assert set(frame["supervision"]) == {"labels"}
    assert (frame["seeds"] == 2).all()
    known = frame[(frame["factor"] == "tempo_bpm") & (frame["level"] == "window")]
    assert (known["sd"] == 0).all()
    text = out["md"].read_text()
    assert "Disentanglement: A corpus" in text
    assert "Not measured at level song, factor swing (no song has it): vae." in text
    assert "DCI-D" in out["tex"].read_text()


def test_models_keep_their_order_and_deviate_over_seeds() -> None:
    first, second = rows_of(0), rows_of(1)
    second["value"] = second["value"] + 0.2
    found = gather([second.assign(model="b"), first, second, first.assign(model="b")], ["vae", "b"])
    assert list(dict.fromkeys(found["model"])) == ["vae", "b"]
    row = found[(found["metric"] == "mig") & (found["factor"] == "all")].iloc[0]
    assert row["sd"] == pytest.approx(0.2 / np.sqrt(2))


# --- names of dimensions -----------------------------------------------------------------------


def test_a_dimension_is_named_after_what_it_follows_if_that_is_significant() -> None:
    rng = np.random.default_rng(0)
    factors = known_factors(rng)
    tempo = factors[2].values
    found = matches(-tempo + rng.standard_normal(N), factors)
    best = closest(found, tests=60)
    assert best is not None
    assert (best.name, best.effect < -0.9) == ("tempo", True)
    assert best.text.startswith("tempo (ρ −")
    by_class = closest(matches(factors[0].values + 0.1 * rng.standard_normal(N), factors), 60)
    assert by_class is not None
    assert by_class.name == "genre"
    assert by_class.effect > 0.8
    noise = matches(rng.standard_normal(N), factors)
    assert closest(noise, tests=60) is None
    assert closest([], tests=1) is None


def test_given_correlations_have_the_p_value_of_scipy() -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    a = rng.standard_normal(30)
    b = a + rng.standard_normal(30)
    rho, p = spearmanr(a, b)
    [match] = correlation_matches({"tempo": float(rho), "loudness": None}, 30)
    assert match.p == pytest.approx(p)
