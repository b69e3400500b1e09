"""One change at a time: differences are to the row before, in the order of the config."""

import json
from pathlib import Path

import pandas as pd
import pytest

from songatlas.plan.workflow import Plan
from songatlas.report.changes_table import changes_table, for_readers, write_changes_table
from songatlas.report.training_table import training_table
from test_training_table import trained

CHANGES = {"published": "published setting", "elbo": "loss summed", "deep": "twice as deep"}


def compared() -> pd.DataFrame:
    rows = []
    scores = {"deep": 0.5, "elbo": 0.45, "published": 0.2, "raw": 0.3}
    for task, level, shift in (
        ("genre", "song", 0.0), ("genre", "window", -0.1), ("song", "window", 0.1),
    ):  # fmt: skip
        for model, nmi in scores.items():
            row = {"model": model, "task": task, "level": level, "nmi_sd": 0.01}
            rows.append(row | {"nmi_mean": nmi + shift, "chance_nmi": 0.05})
    return pd.DataFrame(rows)


def training() -> pd.DataFrame:
    return training_table(
        [
            trained("deep", active_units=3),
            trained("published", active_units=0, reconstruction_db=9.0),
            trained("elbo", seed=0, active_units=1),
            trained("elbo", seed=1, active_units=2),
        ]
    )


def test_rows_follow_the_config_and_differences_are_to_the_row_before() -> None:
    frame = changes_table(CHANGES, compared(), training())
    assert frame["model"].tolist() == list(CHANGES)
    assert frame["change"].tolist() == list(CHANGES.values())
    assert frame["genre_nmi"].tolist() == [0.2, 0.45, 0.5]
    assert pd.isna(frame.loc[0, "genre_difference"])
    assert frame["genre_difference"].tolist()[1:] == pytest.approx([0.25, 0.05])
    assert set(frame["genre_chance"]) == {0.05}
    # Song identity is scored on windows alone.
    assert frame["song_nmi"].tolist() == pytest.approx([0.3, 0.55, 0.6])
    assert frame["active_units"].tolist() == [0.0, 1.5, 3.0]
    assert frame["reconstruction_db"].tolist() == [9.0, 5.0, 5.0]
    assert frame["note"].tolist()[0] == "collapsed posterior (seed 0)"


def test_without_a_score_there_is_no_difference() -> None:
    frame = compared()
    frame.loc[frame["model"] == "elbo", ["nmi_mean", "nmi_sd"]] = None
    table = changes_table(CHANGES, frame, training())
    assert table["genre_difference"].isna().all()
    shown = for_readers(table)
    assert shown["genre_nmi"].dropna().to_dict() == {0: "0.200 ± 0.010", 2: "0.500 ± 0.010"}
    assert shown["active_units"].tolist() == ["0 of 3", "2 of 3", "3 of 3"]


def test_the_files_show_signed_differences(tmp_path: Path) -> None:
    compared().to_csv(tmp_path / "comparison.csv", index=False)
    paths = []
    for model in CHANGES:
        paths.append(tmp_path / f"{model}.json")
        paths[-1].write_text(json.dumps(trained(model)), encoding="utf-8")
    files = {name: tmp_path / f"changes.{name}" for name in ("csv", "md", "tex")}
    write_changes_table(
        tmp_path / "comparison.csv", paths, **files, changes=list(CHANGES.items()), corpus_name="C"
    )
    assert len(pd.read_csv(files["csv"])) == 3
    assert "+0.250" in files["md"].read_text(encoding="utf-8")
    assert "loss summed" in files["tex"].read_text(encoding="utf-8")


def test_the_plan_lists_selected_models_that_say_what_they_change() -> None:
    models = {
        name: {"architecture": "conv_vae", "change": change} for name, change in CHANGES.items()
    }
    models["other"] = {"architecture": "conv_vae"}
    plan = Plan({"models": models, "include": ["elbo", "published", "other"], "seeds": [0, 1]})
    assert plan.changes == [("published", "published setting"), ("elbo", "loss summed")]
    assert plan.changed == [(name, seed) for name in ("published", "elbo") for seed in (0, 1)]
    assert "change" not in plan.model("elbo") | plan.model("elbo")["declared"]
