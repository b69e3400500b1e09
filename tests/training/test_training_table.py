"""How training went: means over seeds, what was not trained, and every latent dimension."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from songatlas.errors import SongatlasError
from songatlas.report.training_table import (
    COLUMNS,
    latent_units,
    training_table,
    write_training_table,
)
from songatlas.training.collapse import collapsed


def trained(model: str = "vae", seed: int = 0, **changes: Any) -> dict[str, Any]:
    facts = {
        "model": model, "seed": seed, "note": None, "epochs": 10, "best_epoch": 8,
        "best_validation_loss": 1.5, "reconstruction": 0.25, "reconstruction_db": 5.0, "kl": 40.0,
        "mutual_information": 3.0, "active_units": 2, "latent_dim": 3, "parameters": 1000,
        "seconds": 20.0, "seconds_per_epoch": 2.0, "peak_memory_gb": None, "monitor_reason": None,
        "batch_note": None, "time_note": None,
        "kl_per_unit": [1.0, 0.5, 0.0], "variance_per_unit": [0.9, 0.011, 0.009],
    }  # fmt: skip
    return facts | changes


def untrained(model: str) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("best_epoch", "best_validation_loss", "reconstruction", "reconstruction_db", "kl",
         "mutual_information", "active_units", "parameters", "seconds_per_epoch")
    )  # fmt: skip
    note = "not trained: no song of this corpus has a genre"
    empty: dict[str, Any] = {"kl_per_unit": [], "variance_per_unit": []}
    return trained(model, note=note, epochs=0, **nothing, **empty) | {"monitor_reason": note}


def test_measures_are_averaged_over_seeds_with_their_spread() -> None:
    runs = [trained(), trained(seed=1, kl=44.0, epochs=14), trained("ae", kl=None, kl_per_unit=[])]
    frame = training_table(runs)
    assert list(frame.columns) == list(COLUMNS)
    assert frame["model"].tolist() == ["vae", "ae"]
    vae, ae = frame.to_dict("records")
    assert (vae["seeds"], vae["epochs_mean"], vae["kl_mean"]) == (2, 12.0, 42.0)
    assert vae["kl_sd"] == pytest.approx(8**0.5)
    assert ae["epochs_mean"] == 10.0
    assert pd.isna(ae["kl_mean"])
    assert pd.isna(ae["epochs_sd"])


def test_a_model_that_was_not_trained_has_null_measures_and_says_why() -> None:
    [row] = training_table([untrained("cvae")]).to_dict("records")
    assert row["note"] == "not trained: no song of this corpus has a genre"
    assert pd.isna(row["epochs_mean"])
    assert pd.isna(row["parameters"])


def test_notes_name_collapse_and_what_was_watched_instead_of_validation() -> None:
    runs = [
        trained(active_units=12, latent_dim=128),
        trained("b", active_units=13, latent_dim=128, monitor_reason="no song is left"),
    ]
    notes = training_table(runs)["note"].tolist()
    assert notes == ["collapsed posterior (seed 0)", "watched the training loss: no song is left"]


@pytest.mark.parametrize(
    ("active", "expected"), [(0, True), (12, True), (13, False), (None, False)]
)
def test_below_a_tenth_of_the_units_a_posterior_has_collapsed(
    active: int | None, expected: bool
) -> None:
    assert collapsed(active, 128) is expected


def test_every_unit_of_every_seed_has_a_row() -> None:
    frame = latent_units([trained(), trained(seed=1), trained("ae", kl_per_unit=[])])
    assert len(frame) == 9
    vae = frame[(frame["model"] == "vae") & (frame["seed"] == 1)]
    assert vae["unit"].tolist() == [0, 1, 2]
    assert vae["kl"].tolist() == [1.0, 0.5, 0.0]
    assert vae["active"].tolist() == [True, True, False]
    assert frame.loc[frame["model"] == "ae", "kl"].isna().all()


def write(folder: Path, *runs: dict[str, Any]) -> dict[str, Path]:
    paths = []
    for number, run in enumerate(runs):
        paths.append(folder / f"{number}.json")
        paths[-1].write_text(json.dumps(run), encoding="utf-8")
    files = {name: folder / f"training.{name}" for name in ("csv", "md", "tex")}
    files["units"] = folder / "latent_units.csv"
    write_training_table(paths, **files, corpus_name="Songs & more")
    return files


def test_the_files_hold_the_table_for_machines_and_for_readers(tmp_path: Path) -> None:
    files = write(tmp_path, trained(), trained(seed=1, kl=44.0), untrained("cvae"))
    frame = pd.read_csv(files["csv"])
    assert frame.loc[0, "kl_mean"] == 42.0
    text = files["md"].read_text(encoding="utf-8")
    assert "42.00 ± 2.83" in text
    assert "no song of this corpus has a genre" in text
    tex = files["tex"].read_text(encoding="utf-8")
    assert r"42.00 \ensuremath{\pm} 2.83" in tex
    assert r"Songs \& more" in tex
    assert len(pd.read_csv(files["units"])) == 6


def test_a_summary_of_another_version_is_an_error_that_names_it(tmp_path: Path) -> None:
    old = trained()
    del old["kl_per_unit"]
    with pytest.raises(SongatlasError, match=r"0\.json: lacks kl_per_unit"):
        write(tmp_path, old)
