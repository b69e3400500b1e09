"""Runs the steps of the check one after another and writes every result down at once.

A process of their own runs the steps (`gpu_steps.py`), so that one that hangs or dies costs itself
alone: the process is ended and a new one goes on with the next step.
"""

import argparse
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent

LIMITS_S = {
    "versions": 60,
    "architectures": 60,
    "fifty_steps": 170,
    "epochs": 80,
    "synchronisations": 30,
    "recorded": 60,
    "memory": 60,
    "resume": 60,
    "latents": 20,
    "musicnn": 20,
    "compile": 100,
}
"""Steps in order, and how long each may take in seconds."""

TOTAL_LIMIT_S = 420
"""Of all steps together."""

START, START_LIMIT_S = "start", 90
"""Until a process has imported what it needs."""


class Results:
    """The rows so far, in a file that is whole after every one."""

    def __init__(self, path: Path, settings: dict[str, Any]) -> None:
        self.path, self.content = path, {**settings, "rows": []}
        self.started = time.monotonic()

    def add(self, row: dict[str, Any]) -> None:
        self.content["rows"].append(row)
        self.content["seconds"] = round(time.monotonic() - self.started, 1)
        temporary = self.path.with_suffix(".part")
        temporary.write_text(json.dumps(self.content, indent=1) + "\n", encoding="utf-8")
        temporary.replace(self.path)
        print(json.dumps(row), flush=True)

    @property
    def failed(self) -> list[dict[str, Any]]:
        return [row for row in self.content["rows"] if "error" in row]


class Worker:
    """A process that runs steps; what it says comes line by line, whatever it does meanwhile."""

    def __init__(self, arguments: list[str]) -> None:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "gpu_steps.py"), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def run(self, step: str, limit_s: float, results: Results) -> bool:
        """Run a step; whether the process can go on with the next one."""
        if step != START:
            assert self.process.stdin is not None
            self.process.stdin.write(step + "\n")
            self.process.stdin.flush()
        until = time.monotonic() + limit_s
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                results.add({"step": step, "error": f"not finished within {limit_s:.0f} s"})
                return False
            if line is None:
                code = self.process.wait()
                results.add({"step": step, "error": f"the process ended with code {code}"})
                return False
            try:
                answer = json.loads(line)
            except ValueError:  # what a library prints while it is imported
                print(line, end="", file=sys.stderr, flush=True)
                continue
            if answer.get("finished") == step:
                return True
            results.add(answer)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


def check(arguments: argparse.Namespace) -> int:
    """Run the chosen steps; 1 where a row holds an error, else 0."""
    results = Results(arguments.out, {"device": arguments.device, "small": arguments.small})
    until = time.monotonic() + TOTAL_LIMIT_S * arguments.patience
    with tempfile.TemporaryDirectory(prefix="songatlas-gpu-") as folder:
        asked = ["--device", arguments.device, "--folder", folder]
        asked += ["--turns", str(arguments.turns), *(["--small"] if arguments.small else [])]
        worker: Worker | None = None
        try:
            for step in arguments.steps:
                left = until - time.monotonic()
                if left <= 0:
                    results.add({"step": step, "error": "not begun: no time was left"})
                    continue
                if worker is None:
                    worker = Worker(asked)
                    if not worker.run(START, START_LIMIT_S * arguments.patience, results):
                        break
                if not worker.run(step, min(left, LIMITS_S[step] * arguments.patience), results):
                    worker.end()
                    worker = None
        finally:
            if worker is not None:
                worker.end()
    print(f"{len(results.content['rows'])} rows in {results.path}, {len(results.failed)} failed")
    return int(bool(results.failed))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cuda", "mps", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny sizes: a trial of the check")
    parser.add_argument("--out", type=Path, default=Path("gpu_check.json"))
    parser.add_argument("--steps", nargs="+", choices=list(LIMITS_S), default=list(LIMITS_S))
    parser.add_argument("--turns", type=int, default=2, help="of fifty_steps")
    parser.add_argument("--patience", type=float, default=1.0, help="factor on every time limit")
    return check(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
