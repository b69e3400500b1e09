"""The provenance card: what it says, and that it is PROV JSON."""

import hashlib
import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest
import yaml

from songatlas import tables
from songatlas.run.versions import card, metrics, state
from songatlas.run.versions.name_card import name_card

NAME = r"^([A-Za-z_][\w-]*):.+$"
RELATIONS = {
    "used": ("prov:activity", "prov:entity"),
    "wasGeneratedBy": ("prov:entity", "prov:activity"),
    "wasInformedBy": ("prov:informed", "prov:informant"),
    "wasAssociatedWith": ("prov:activity", "prov:agent"),
}
KIND = {
    "prov:entity": "entity",
    "prov:activity": "activity",
    "prov:agent": "agent",
    "prov:informed": "activity",
    "prov:informant": "activity",
}


def records_of(keys: tuple[str, ...]) -> dict[str, Any]:
    record = {
        "type": "object",
        "required": list(keys),
        "properties": {key: {"type": "string", "pattern": NAME} for key in keys},
    }
    return {"type": "object", "propertyNames": {"pattern": NAME}, "additionalProperties": record}


VALUE = {
    "anyOf": [
        {"type": ["string", "number", "boolean"]},
        {"type": "object", "required": ["$", "type"]},
        {"type": "array", "items": {"type": ["string", "number", "boolean", "object"]}},
    ]
}
ELEMENT = {
    "type": "object",
    "propertyNames": {"pattern": NAME},
    "additionalProperties": {"type": "object", "additionalProperties": VALUE},
}
PROV_JSON = {
    "type": "object",
    "required": ["prefix", "entity", "activity", "agent"],
    "additionalProperties": False,
    "properties": {
        "prefix": {"type": "object", "additionalProperties": {"type": "string", "format": "uri"}},
        **dict.fromkeys(("entity", "activity", "agent"), ELEMENT),
        **{name: records_of(keys) for name, keys in RELATIONS.items()},
    },
}
"""Structure of PROV-JSON (W3C member submission), as far as the card uses it."""

CONFIG = {"run": "r", "corpus": "folder", "seeds": [0, 1], "models": {"m": {"beta": 4.0}}}


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A card of a run with one model and two seeds, written in a git repository."""
    monkeypatch.chdir(tmp_path)
    for command in (("init",), ("add", "requirements.lock"), ("commit", "-m", "x")):
        Path("requirements.lock").write_text("numpy==1\n")
        who = ("-c", "user.name=t", "-c", "user.email=t@t")
        subprocess.run(["git", *who, *command], check=True, capture_output=True)
    folder = Path("results/r")
    files: dict[str, list[str]] = {"weights": [], "summaries": []}
    for seed in (0, 1):
        seeded = folder / f"models/m/seed-{seed}"
        seeded.mkdir(parents=True)
        (seeded / "weights.ckpt").write_text(f"weights {seed}")
        summary = {"model": "m", "seed": seed, "device": "cpu", "precision": "32"}
        (seeded / "summary.json").write_text(json.dumps(summary | {"seconds": 1.5, "epochs": 2}))
        files["weights"].append(str(seeded / "weights.ckpt"))
        files["summaries"].append(str(seeded / "summary.json"))
        times = {"starttime": 1000.0 + seed, "endtime": 2000.0 + seed}
        state.write_record(files["weights"][-1], times)
    for name in ("tracks", "comparison.csv", "map.svg"):
        (folder / name).write_text(name)
    card.write_card(
        folder / "provenance.json",
        folder / "config.yaml",
        config=CONFIG,
        corpus=[str(folder / "tracks")],
        tables=[str(folder / "comparison.csv")],
        figures=[str(folder / "map.svg")],
        repository=tmp_path,
        **files,
    )
    content: dict[str, Any] = json.loads((folder / "provenance.json").read_text())
    return content


def test_the_card_is_prov_json(written: dict[str, Any]) -> None:
    jsonschema.validate(written, PROV_JSON)


def test_every_name_has_a_declared_prefix_and_every_relation_ends_somewhere(
    written: dict[str, Any],
) -> None:
    prefixes = {*written["prefix"], "prov", "_"}
    for kind in set(written) - {"prefix"}:
        for name, record in written[kind].items():
            assert name.split(":")[0] in prefixes
            assert {key.split(":")[0] for key in record} <= prefixes
    for relation, keys in RELATIONS.items():
        for record in written[relation].values():
            for key in keys:
                assert record[key] in written[KIND[key]]


def test_it_tells_code_config_corpus_lock_seeds_devices_and_versions(
    written: dict[str, Any],
) -> None:
    entities, activities = written["entity"], written["activity"]
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    assert entities["run:code"]["songatlas:commit"] == commit.stdout.strip()
    assert entities["run:code"]["songatlas:modified"] is False
    for name in ("config", "corpus", "lock"):
        assert len(entities[f"run:{name}"]["songatlas:sha256"]) == 64
    assert activities["run:r"]["songatlas:seeds"] == [0, 1]
    assert activities["run:train-m-seed-1"]["songatlas:device"] == "cpu"
    agent = written["agent"]["run:software"]
    assert agent["songatlas:torch"].startswith("2.")


def test_every_table_and_figure_is_listed_with_its_hash(written: dict[str, Any]) -> None:
    for kind, name in (("Table", "comparison.csv"), ("Figure", "map.svg")):
        entity = written["entity"][f"run:results/r/{name}"]
        assert entity["prov:type"] == f"songatlas:{kind}"
        assert entity["songatlas:sha256"] == hashlib.sha256(name.encode()).hexdigest()


@pytest.mark.parametrize(
    ("suffix", "comment"), [(".md", "<!-- Provenance: {} -->"), (".tex", "% Provenance: {}")]
)
def test_a_table_names_the_card_in_a_comment_behind_its_text(
    suffix: str, comment: str, tmp_path: Path
) -> None:
    path = tmp_path / f"table{suffix}"
    path.write_text("| ü |\n", encoding="utf-8")
    name_card(path, "results/r/provenance.json")
    text = path.read_text(encoding="utf-8")
    assert text.startswith("| ü |\n")
    assert text.splitlines()[-1] == comment.format("results/r/provenance.json")


def test_start_and_end_are_those_of_the_jobs(written: dict[str, Any]) -> None:
    run = written["activity"]["run:r"]
    assert datetime.fromisoformat(run["prov:startTime"]).timestamp() == 1000
    assert datetime.fromisoformat(run["prov:endTime"]).timestamp() == 2001


@pytest.mark.usefixtures("written")
def test_the_config_stands_beside_it_in_full() -> None:
    assert yaml.safe_load(Path("results/r/config.yaml").read_text()) == CONFIG


@pytest.mark.usefixtures("written")
def test_edited_code_is_told() -> None:
    Path("requirements.lock").write_text("numpy==2\n")
    assert card.git_state(Path())[1] is True


def test_without_git_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert card.git_state(tmp_path) == (None, None)


def test_metrics_leave_out_what_could_not_be_computed(tmp_path: Path) -> None:
    row = {"model": "m", "task": "genre", "level": "song", "nmi_mean": 0.5}
    frame = pd.DataFrame([row | {"ami_mean": None, "chance_nmi": 0.1}, row | {"level": "window"}])
    assert metrics.metrics(frame) == {"m": {"genre": {"nmi_mean": 0.5, "chance_nmi": 0.1}}}


def test_curves_are_means_over_seeds(tmp_path: Path) -> None:
    paths = []
    for seed, value in enumerate((1.0, 3.0)):
        rows = [(0, "loss", "train", value), (0, "kl", "train", 9.0)]
        frame = pd.DataFrame(rows, columns=["epoch", "metric", "split", "value"])
        frame["unit"] = None
        paths.append(tmp_path / f"{seed}.parquet")
        tables.write(frame, paths[-1], tables.HISTORY)
    metrics.write_curves(paths, tmp_path / "curve.csv")
    assert (tmp_path / "curve.csv").read_text() == "epoch,train\n0,2.0\n"
