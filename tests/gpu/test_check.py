"""The check's frame: every row is on disk at once, and a step costs no other one."""

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import check

STEPS = """
import json, os, sys, time
from pathlib import Path

def say(row):
    print(json.dumps(row), flush=True)

print("what a library says while it is imported", flush=True)
say({"finished": "start"})
for line in sys.stdin:
    step = line.strip()
    say({"step": step, "what": "first", "process": os.getpid()})
    if step == "epochs":
        time.sleep(600)
    if step == "memory":
        os._exit(3)
    say({"finished": step})
"""


@pytest.fixture
def frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Namespace:
    """The check with steps that do nothing, hang or die."""
    (tmp_path / "gpu_steps.py").write_text(STEPS, encoding="utf-8")
    monkeypatch.setattr(check, "HERE", tmp_path)
    monkeypatch.setitem(check.LIMITS_S, "epochs", 1)
    steps = ["versions", "epochs", "memory", "latents"]
    return Namespace(
        device="cpu", small=True, out=tmp_path / "out.json", steps=steps, patience=1.0, turns=1
    )


def rows(frame: Namespace) -> list[dict[str, Any]]:
    return json.loads(frame.out.read_text(encoding="utf-8"))["rows"]


def test_a_step_that_hangs_or_dies_costs_itself_alone(frame: Namespace) -> None:
    assert check.check(frame) == 1
    found = rows(frame)
    errors = {row["step"]: row["error"] for row in found if "error" in row}
    assert errors == {
        "epochs": "not finished within 1 s",
        "memory": "the process ended with code 3",
    }
    processes = {row["step"]: row["process"] for row in found if "process" in row}
    assert list(processes) == frame.steps
    assert len(set(processes.values())) == 3, "one for each that was lost, and the first"


def test_what_is_known_is_on_disk_when_the_check_is_cut(
    frame: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(self: check.Worker, step: str, limit_s: float, results: check.Results) -> bool:
        if step == "memory":
            raise KeyboardInterrupt
        return run(self, step, limit_s, results)

    run = check.Worker.run
    monkeypatch.setattr(check.Worker, "run", cut)
    with pytest.raises(KeyboardInterrupt):
        check.check(frame)
    assert [row["step"] for row in rows(frame)] == ["versions", "epochs", "epochs"]


def test_no_step_begins_when_the_time_is_up(
    frame: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "TOTAL_LIMIT_S", 0)
    assert check.check(frame) == 1
    assert {row["error"] for row in rows(frame)} == {"not begun: no time was left"}


def test_a_process_that_does_not_start_ends_the_check(frame: Namespace, tmp_path: Path) -> None:
    (tmp_path / "gpu_steps.py").write_text("import no_such_module\n", encoding="utf-8")
    assert check.check(frame) == 1
    assert [row["step"] for row in rows(frame)] == ["start"]
