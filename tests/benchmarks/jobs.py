"""Planning a finished run, what a job costs beside its work, and how cores are best shared.

    python tests/benchmarks/jobs.py [finished run, default results/demo]

`beside` is the time of a job's process less that of its own clock, which starts before numerical
libraries are imported: Python, Snakemake's preamble, and the end. `own_imports` is what importing
this project's modules takes for a training beyond the libraries that they import.
"""

import argparse
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from harness import ROOT, watch, write_json

TURNS = 3
THREADS = """
import sys, time, torch
threads = int(sys.argv[1])
torch.set_num_threads(threads)
sys.argv = sys.argv[:1]
sys.path.insert(0, {here!r})
import full_size_steps as steps
from songatlas.run.memory import keep_freed_memory
keep_freed_memory()
loop = steps.Loop({name!r}, steps.batch(), fast=True)
loop.step()
began = time.perf_counter()
for _ in range(4):
    loop.step()
print((time.perf_counter() - began) / 4)
"""


def beside(run: Path) -> dict[str, Any]:
    """Seconds of jobs outside their own clock, by rule."""
    found: dict[str, list[float]] = defaultdict(list)
    for path in sorted((run / "benchmarks").rglob("*.tsv")):
        name = path.relative_to(run / "benchmarks")
        log = (run / "logs" / name).with_suffix(".log")
        own = re.findall(r"\(([\d.]+) s\)\s*$", log.read_text(), re.M) if log.is_file() else []
        if own:
            whole = float(path.read_text().splitlines()[1].split("\t")[0])
            found[name.parts[0].removesuffix(".tsv")].append(whole - float(own[-1]))
    values = [value for some in found.values() for value in some]
    return {
        "jobs": len(values),
        "median_s": round(statistics.median(values), 2),
        "by_rule_s": {rule: round(statistics.median(some), 2) for rule, some in found.items()},
        "largest_median_s": round(max(statistics.median(some) for some in found.values()), 2),
    }


def own_imports() -> float:
    """Seconds of the modules named songatlas alone, of a training's imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "import songatlas.training.fit"],
        capture_output=True,
        text=True,
        check=True,
    )
    own = re.findall(r"import time:\s+(\d+) \|\s+\d+ \| +songatlas", done.stderr)
    return round(sum(map(int, own)) / 1e6, 3)


def sharing(name: str) -> dict[str, float]:
    """Steps a second of one job on two threads, and of two jobs on one each."""
    code = THREADS.format(here=str(Path(__file__).parent), name=name)

    def start(threads: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, str(threads)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    rates: dict[str, list[float]] = {"one_job_two_threads": [], "two_jobs_one_thread": []}
    for _ in range(2):
        one = start(2)
        rates["one_job_two_threads"].append(1 / float(one.communicate()[0].split()[-1]))
        two = [start(1), start(1)]
        rates["two_jobs_one_thread"].append(
            sum(1 / float(job.communicate()[0].split()[-1]) for job in two)
        )
    return {way: round(statistics.median(some), 3) for way, some in rates.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, nargs="?", default=ROOT / "results" / "demo")
    arguments = parser.parse_args()
    if not (arguments.run / "benchmarks").is_dir():
        raise SystemExit(f"{arguments.run}: no finished run; `make demo` first")
    checkout = arguments.run.resolve().parents[1]
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", "--cores", "2"]
    if arguments.run.name != "demo":
        command += ["--configfile", str(arguments.run / "config.yaml")]
    plans = [watch([*command, "--resources", "gpu=1"], cwd=checkout)[0] for _ in range(TURNS)]
    write_json(
        "jobs",
        {
            "dry_run_wall_s": [plan["wall_s"] for plan in plans],
            "dry_run_cpu_s": [plan["cpu_s"] for plan in plans],
            "beside_the_jobs_own_clock": beside(arguments.run),
            "own_imports_of_a_training_s": own_imports(),
            "steps_a_second": {name: sharing(name) for name in ("conv_vae", "basic_vae")},
        },
    )


if __name__ == "__main__":
    main()
