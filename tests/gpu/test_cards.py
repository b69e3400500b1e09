"""Every job gets a card of its own, and asks for one where it may touch one."""

import os
import stat
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, OutputSettings, ResourceSettings

from conftest import ROOT
from songatlas.run import cards
from songatlas.run.jobs import job

TWO = ["GPU-1111", "GPU-2222"]
MAY_TOUCH_A_CARD = {
    *("train", "latents", "ablated_latents", "traversals", "decoded_sounds", "query"),
    *("encode_audio", "adapt_encoder", "transcribe", "lyrics_vectors", "listen"),
}


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cards, "nvidia_cards", lambda: TWO)
    monkeypatch.setattr(cards, "LOOK_EVERY_S", 0.01)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv(cards.VISIBLE, raising=False)


@pytest.mark.usefixtures("two_cards")
def test_two_jobs_get_two_cards_and_a_third_waits() -> None:
    first, second = cards._take(TWO, 1), cards._take(TWO, 1)
    assert [lock.path.stem for lock in (*first, *second)] == TWO
    assert cards._take(TWO, 1) == []
    first[0].release()
    (third,) = cards._take(TWO, 1)
    assert third.path.stem == TWO[0]


@pytest.mark.usefixtures("two_cards")
def test_a_job_sees_its_own_card_alone_while_it_runs(tmp_path: Path) -> None:
    (lock,) = cards._take(TWO, 1)
    with job(tmp_path / "job.log", gpus=1):
        assert os.environ[cards.VISIBLE] == TWO[1]
    assert cards.VISIBLE not in os.environ
    lock.release()
    with cards.own_cards(2):
        assert os.environ[cards.VISIBLE] == ",".join(TWO)
        assert cards._take(TWO, 1) == []


@pytest.mark.usefixtures("two_cards")
def test_who_wants_two_holds_none_until_both_are_free() -> None:
    (lock,) = cards._take(TWO, 1)
    assert cards._take(TWO, 2) == []
    (other,) = cards._take(TWO, 1)
    other.release()
    timer = threading.Timer(0.05, lock.release)
    timer.start()
    with cards.own_cards(2):
        assert not lock.path.exists() or not timer.is_alive()
        assert os.environ[cards.VISIBLE] == ",".join(TWO)
    timer.join()


@pytest.mark.usefixtures("two_cards")
def test_a_schedulers_choice_is_final(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cards.VISIBLE, "1")
    with cards.own_cards(1):
        assert os.environ[cards.VISIBLE] == "1"
        assert len(cards._take(TWO, 2)) == 2, "nothing is locked"


@pytest.mark.usefixtures("two_cards")
def test_a_job_that_asks_for_none_holds_none() -> None:
    with cards.own_cards(0):
        assert cards.VISIBLE not in os.environ
        assert len(cards._take(TWO, 2)) == 2


def test_cards_are_those_that_the_driver_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cards.nvidia_cards() == []
    driver = tmp_path / "nvidia-smi"
    driver.write_text(f"#!/bin/sh\necho {TWO[0]}\necho {TWO[1]}\n", encoding="utf-8")
    driver.chmod(driver.stat().st_mode | stat.S_IXUSR)
    assert cards.nvidia_cards() == TWO
    driver.write_text("#!/bin/sh\necho NVIDIA-SMI has failed\nexit 9\n", encoding="utf-8")
    assert cards.nvidia_cards() == []


# --- what jobs ask for -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workflow(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The workflow as Snakemake reads it, in this process; it is never run."""
    with SnakemakeApi(OutputSettings(dryrun=True)) as api, pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("workflow"))
        read = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(config={"transcription": {"include": True}}),
            snakefile=ROOT / "Snakefile",
        )._workflow
        yield read


def asked(workflow: Any, rule: str, what: str = "gpu") -> Any:
    """A resource of a rule, with a model in the place of its wildcard."""
    resource = workflow.get_rule(rule).resources[what]
    if not resource.is_evaluable():
        return resource.value
    return resource.evaluate(SimpleNamespace(model="fusion_late", seed="0", modality="mel")).value


def test_every_job_that_may_touch_a_card_says_so(workflow: Any) -> None:
    rules = {rule.name for rule in workflow.rules if "gpu" in rule.resources}
    assert rules == MAY_TOUCH_A_CARD
    assert all(asked(workflow, rule, "gpu_memory_gb") == 12.0 for rule in rules)


@pytest.mark.parametrize("here", [True, False])
@pytest.mark.parametrize("local", [True, False])
def test_jobs_beside_training_ask_where_a_card_may_be(
    workflow: Any, monkeypatch: pytest.MonkeyPatch, here: bool, local: bool
) -> None:
    names = workflow.globals
    plugin = SimpleNamespace(common_settings=SimpleNamespace(local_exec=local))
    monkeypatch.setattr(workflow, "_executor_plugin", plugin)
    monkeypatch.setitem(names, "has_card", lambda: here)
    names["card_here"].cache_clear()
    assert asked(workflow, "train") == 1
    for rule in ("latents", "ablated_latents", "traversals", "query"):
        assert asked(workflow, rule) == int(here or not local), rule
    names["card_here"].cache_clear()


def test_a_model_that_is_to_stay_on_the_cpu_asks_for_no_card(
    workflow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = workflow.globals
    monkeypatch.setitem(names, "card_here", lambda: True)
    assert [names["cards_for"](device) for device in ("auto", "cuda", "cpu")] == [1, 1, 0]
