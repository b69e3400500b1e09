"""Fetching weights: the licence first, then the pinned commit and nothing else."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import tiny_encoders
from conftest import ROOT
from pipeline import SMALL
from songatlas.config import encoder_cards as cards
from songatlas.config.features import Pretrained
from songatlas.errors import SongatlasError
from songatlas.features.encoders.fetch_weights import fetch, wanted
from songatlas.features.encoders.load import load_encoder
from songatlas.features.encoders.weights import digests, locate, read_lock

FIRST, SECOND = "a" * 40, "b" * 40


class Hub:
    """What the Hugging Face Hub says of one repository, on loopback."""

    def __init__(self, folder: Path, repository: str) -> None:
        self.revision = FIRST
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_HEAD(self) -> None:
                self.answer(False)

            def do_GET(self) -> None:
                self.answer(True)

            def answer(self, with_body: bool) -> None:
                hub.asked.append(self.path)
                start = f"/api/models/{repository}/revision/"
                if self.path.startswith(start):
                    names = [{"rfilename": path.name} for path in sorted(folder.iterdir())]
                    known = {"id": repository, "modelId": repository, "sha": hub.revision}
                    body = json.dumps(known | {"siblings": names}).encode()
                    return self.reply(body, {"Content-Type": "application/json"}, with_body)
                if self.path.startswith(f"/api/models/{repository}/tree/"):
                    files = [
                        {"type": "file", "path": path.name, "size": path.stat().st_size, "oid": "0"}
                        for path in sorted(folder.iterdir())
                    ]
                    return self.reply(
                        json.dumps(files).encode(), {"Content-Type": "application/json"}, with_body
                    )
                parts = self.path.split("/resolve/")
                if len(parts) == 2 and (folder / parts[1].split("/", 1)[1]).is_file():
                    revision, name = parts[1].split("/", 1)
                    body = (folder / name).read_bytes()
                    headers = {"ETag": f'"{len(body)}-{name}"', "X-Repo-Commit": revision}
                    return self.reply(body, headers, with_body)
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return None

            def reply(self, body: bytes, headers: dict[str, str], with_body: bool) -> None:
                self.send_response(200)
                for key, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(key, value)
                self.end_headers()
                if with_body:
                    self.wfile.write(body)

        self.asked: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A hub on loopback that has AST; the cache is the test's own."""
    import huggingface_hub.constants as constants
    import huggingface_hub.file_download
    import huggingface_hub.hf_api

    folder = tiny_encoders.checkpoint("ast", tmp_path)
    (folder / "tf_model.h5").write_bytes(b"a copy for TensorFlow")
    served = Hub(folder, cards.CARDS["ast"].repository)
    cache = tmp_path / "cache" / "hub"
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    template = served.address + "/{repo_id}/resolve/{revision}/{filename}"
    for name, value in {
        "HF_HUB_CACHE": str(cache),
        "ENDPOINT": served.address,
        "HUGGINGFACE_CO_URL_TEMPLATE": template,
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
    }.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(
        huggingface_hub.file_download, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False
    )
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", served.address)
    yield served
    served.server.shutdown()


def test_what_is_fetched_is_pinned_and_then_needs_no_network(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    card, lock = cards.CARDS["ast"], tmp_path / "lock.json"
    said = fetch({"ast": None}, [], lock)
    assert said.startswith("1 repositories, ")
    shown = capsys.readouterr().err
    assert card.repository in shown
    assert "licence: BSD-3-Clause" in shown
    folder = locate(card.repository, lock)
    assert folder.name == FIRST
    # Copies in other formats are not fetched.
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]
    assert not [path for path in hub.asked if "tf_model" in path]
    pinned = read_lock(lock)[card.repository]
    assert pinned.revision == FIRST
    assert pinned.files == digests(folder)
    hub.server.shutdown()
    encoder = load_encoder("ast", Pretrained(lock=str(lock), device="cpu"))
    assert encoder.folder == folder


def test_a_pinned_repository_stays_at_its_commit_and_must_be_what_it_was(
    hub: Hub, tmp_path: Path
) -> None:
    card, lock = cards.CARDS["ast"], tmp_path / "lock.json"
    fetch({"ast": None}, [], lock)
    before = lock.read_bytes()
    hub.revision = SECOND
    fetch({"ast": None}, [], lock)
    assert lock.read_bytes() == before
    assert locate(card.repository, lock).name == FIRST
    content = json.loads(lock.read_text())
    content[card.repository]["files"]["config.json"] = "0" * 64
    lock.write_text(json.dumps(content))
    with pytest.raises(SongatlasError, match=r"not what .*lock.json pins: config.json"):
        fetch({"ast": None}, [], lock)


def test_the_licence_is_shown_before_anything_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import huggingface_hub

    shown = []

    def no_network(repository: str, **_: object) -> str:
        shown.append(capsys.readouterr().err)
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", no_network)
    with pytest.raises(SongatlasError, match=r"could not be fetched .*no route to host.*HF_HUB"):
        fetch({"muq-mulan": None}, ["intfloat/multilingual-e5-small"], tmp_path / "lock.json")
    assert "licence: CC-BY-NC-4.0" in shown[0]
    for repository in ("OpenMuQ/MuQ-MuLan-large", "OpenMuQ/MuQ-large-msd-iter", "xlm-roberta-base"):
        assert repository in shown[0]
    assert "intfloat/multilingual-e5-small" in shown[0]
    assert not (tmp_path / "lock.json").exists()


def test_local_folders_need_no_fetching(tmp_path: Path) -> None:
    assert wanted({"ast": str(tmp_path)}, []) == []
    assert [one.repository for one in wanted({"wav2vec2": "org/other"}, [])] == ["org/other"]
    assert "licence: see" in wanted({"wav2vec2": "org/other"}, [])[0].said


def test_the_rule_fetches_what_the_config_names() -> None:
    import yaml

    from songatlas.config.yaml_files import load_yaml
    from songatlas.plan.workflow import Plan

    config = load_yaml(ROOT / "config" / "config.yaml").model_dump(mode="json")
    assert Plan(config).weights_to_fetch() == ({}, [])
    assert yaml.safe_load(SMALL)["run"] == "small"
    config["baselines"] = {
        "one": {"kind": "encoder", "encoder": "ast"},
        "two": {"kind": "encoder", "encoder": "ast", "layer": 0},
        "mert": {"kind": "encoder", "encoder": "mert-95m"},
    }
    config["pretrained"] = {"allow_restricted": True, "remote_code": ["mert-95m"]}
    config["lyrics"]["encoder"] = "sentence-transformers/LaBSE"
    plan = Plan(config)
    assert plan.weights_to_fetch() == (
        {"ast": None, "mert-95m": None},
        ["sentence-transformers/LaBSE"],
    )
    (danger,) = plan.dangers()
    assert danger.startswith("REMOTE CODE IS ON: `m-a-p/MERT-v1-95M`")
