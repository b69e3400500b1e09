"""The disk that a run needs, said before it starts."""

from pathlib import Path

import pytest

from conftest import ROOT
from songatlas import files, tables
from songatlas.config.yaml_files import load_yaml
from songatlas.models import registry
from songatlas.models.base import InputSpec, parameter_count
from songatlas.plan import preflight
from songatlas.plan.corpus_files import BYTES_PER_S
from songatlas.plan.preflight import NoSpaceError, need, weight_bytes
from songatlas.plan.workflow import Plan


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """Two models and a baseline on two songs of 16 s (8 kHz, 16 bit) that nobody has opened."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.wav", "b.wav"):
        path = tmp_path / "songs" / "en" / "pop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(round(16 * BYTES_PER_S[".wav"])))
    config = load_yaml(ROOT / "config" / "config.yaml").model_dump(mode="json")
    changes = {"corpus": "folder", "corpus_path": "songs", "seeds": [0, 1]}
    config |= changes | {"include": ["conv_vae", "vade", "mean_mel"]}
    config["windows"] = {"length_s": 8.0, "hop_s": 4.0}
    return Plan(config)


def test_weights_of_every_seed_and_what_training_needs_beside_them(plan: Plan) -> None:
    found = need(plan)
    sizes = weight_bytes(plan)
    assert found.stages["models"] == round(preflight.MARGIN * 2 * sum(sizes.values()))
    assert found.temporary == 2 * 4 * max(sizes.values())
    assert not found.known
    assert found.windows == 2 * 3
    frames = plan.config.logmel.n_frames(8.0)
    assert found.stages["features"] >= 6 * 2 * 64 * frames


def test_what_is_there_is_not_needed_again(plan: Plan, tmp_path: Path) -> None:
    found = need(plan)
    before = found.missing(Path("results/demo"))
    (tmp_path / "results" / "demo" / "models").mkdir(parents=True)
    (tmp_path / "results" / "demo" / "models" / "weights.ckpt").write_bytes(bytes(1_000_000))
    assert found.missing(Path("results/demo")) == before - 1_000_000


def test_only_what_is_asked_for_is_needed(plan: Plan) -> None:
    found = need(plan)
    features = found.only({"features", "corpus"})
    assert features.missing(Path("results/demo")) == found.stages["features"]
    models = found.only({"models"})
    assert models.missing(Path("results/demo")) == found.stages["models"] + found.temporary


def test_songs_that_are_elsewhere_keep_nothing_from_starting(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "songs").rename(tmp_path / "away")
    assert need(Plan(plan.config.model_dump(mode="json"))).windows == 0


def windows_known(tmp_path: Path, n: int) -> None:
    frame = tables.empty(tables.WINDOWS).reindex(range(n))
    frame = frame.assign(window_id=[f"w{i}" for i in range(n)], track_id="t", index=0)
    frame = frame.assign(start_s=0.0, end_s=8.0, split="train", padded=False)
    corpus = tmp_path / "results" / "demo" / "corpus"
    tables.write(frame, corpus / "windows.parquet", tables.WINDOWS)
    tables.write(tables.empty(tables.TRACKS), corpus / "tracks.parquet", tables.TRACKS)


def test_a_disk_that_is_too_small_refuses_where_windows_are_known_and_warns_before(
    plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "free_bytes", lambda _: 1_000_000)
    said = preflight.preflight(plan)
    assert "1.0 MB are free" in said
    assert "for about 6 windows; songs have not been opened yet" in said
    assert "it starts all the same" in said
    windows_known(tmp_path, 5)
    with pytest.raises(NoSpaceError, match=r"needs about .* more, 1\.0 MB are free; most of it"):
        preflight.preflight(plan)
    monkeypatch.setattr(preflight, "free_bytes", lambda _: 10**12)
    said = preflight.preflight(plan)
    assert said.startswith("disk: results/demo needs about ")
    assert "1000.0 GB are free" in said


def test_weights_are_about_as_large_as_they_are(plan: Plan) -> None:
    import torch

    spec = InputSpec(**plan.spec(*plan.models))
    for declared in plan.declared_models():
        with torch.device("meta"):
            model = registry.build(
                declared["architecture"], spec, declared["latent_dim"], declared["options"]
            )
        guessed = weight_bytes(plan)[declared["name"]]
        assert 0.7 < guessed / (4 * parameter_count(model)) < 1.5, declared["name"]


def test_free_space_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert files.free_bytes(tmp_path / "a" / "b") == pytest.approx(
        files.free_bytes(tmp_path), rel=0.1
    )
