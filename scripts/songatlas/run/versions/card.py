"""The provenance card: what a run was made of, as W3C PROV JSON.

PROV-JSON (https://www.w3.org/submissions/prov-json/): entities are files, activities are jobs,
agents are software; relations say what was used, generated and associated.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from songatlas.run.versions.records import below, identify
from songatlas.run.versions.state import read_record
from songatlas.tables import atomic

PREFIXES = {"songatlas": "https://w3id.org/songatlas/", "run": "urn:songatlas:run:"}
PACKAGES = (
    *("songatlas", "snakemake", "dvc", "torch", "torchaudio", "lightning", "librosa", "numpy"),
    *("pandas", "pyarrow", "scikit-learn", "scipy", "umap-learn"),
)
"""Packages whose versions stand on the card; the lock's hash stands for all."""


def write_card(
    path: str | Path,
    config_path: str | Path,
    *,
    config: Mapping[str, Any],
    corpus: Sequence[str],
    weights: Sequence[str],
    summaries: Sequence[str],
    tables: Sequence[str],
    figures: Sequence[str],
    repository: Path,
) -> None:
    """Write the card, and the config with every default filled in as YAML beside it."""
    with atomic(config_path) as temporary:
        temporary.write_text(yaml.safe_dump(dict(config), sort_keys=False), encoding="utf-8")
    trainings = [json.loads(Path(summary).read_text(encoding="utf-8")) for summary in summaries]
    content = card(
        config=config,
        corpus={name: sha256(Path(name)) for name in corpus},
        weights={name: sha256(Path(name)) for name in weights},
        tables={name: sha256(Path(name)) for name in tables},
        figures={name: sha256(Path(name)) for name in figures},
        trainings=trainings,
        lock=sha256(repository / "requirements.lock"),
        git=git_state(repository),
        times=times(Path(path).parent),
    )
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", "utf-8")


def card(
    *,
    config: Mapping[str, Any],
    corpus: Mapping[str, str],
    weights: Mapping[str, str],
    tables: Mapping[str, str],
    figures: Mapping[str, str],
    trainings: Sequence[Mapping[str, Any]],
    lock: str,
    git: tuple[str | None, bool | None],
    times: tuple[float, float],
) -> dict[str, Any]:
    """The PROV document; `corpus`, `weights`, `tables` and `figures` are hashes by path.

    `trainings` are the training summaries, in the order of `weights`.
    """
    run = "run:" + str(config["run"])
    commit, modified = git
    entities: dict[str, Any] = {
        "run:config": {
            "prov:type": "songatlas:Config",
            "songatlas:sha256": digest(json.dumps(config, sort_keys=True)),
        },
        "run:corpus": {
            "prov:type": "songatlas:Corpus",
            "songatlas:reader": config["corpus"],
            "songatlas:sha256": digest(json.dumps(sorted(corpus.values()))),
        },
        "run:lock": {"prov:type": "songatlas:Lock", "songatlas:sha256": lock},
        "run:code": {
            "prov:type": "songatlas:Code",
            "songatlas:commit": commit if commit is not None else "unknown (no git repository)",
            **({} if modified is None else {"songatlas:modified": modified}),
        },
    }
    activities: dict[str, Any] = {
        run: {
            "prov:type": "songatlas:Run",
            "prov:startTime": stamp(times[0]),
            "prov:endTime": stamp(times[1]),
            "songatlas:seeds": list(config["seeds"]),
        }
    }
    used = {
        f"_:used-{name}": {"prov:activity": run, "prov:entity": f"run:{name}"}
        for name in ("config", "corpus", "lock", "code")
    }
    generated: dict[str, Any] = {}
    informed: dict[str, Any] = {}
    for (name, sha), training in zip(weights.items(), trainings, strict=True):
        job = f"run:train-{training['model']}-seed-{training['seed']}"
        activities[job] = {
            "prov:type": "songatlas:Training",
            **{
                f"songatlas:{key}": training[key]
                for key in ("model", "seed", "device", "precision", "seconds", "epochs")
            },
        }
        informed[f"_:{job[4:]}"] = {"prov:informed": run, "prov:informant": job}
        entities[f"run:{name}"] = {"prov:type": "songatlas:Weights", "songatlas:sha256": sha}
        generated[f"_:generated-{job[4:]}"] = {"prov:entity": f"run:{name}", "prov:activity": job}
    for kind, files in (("Table", tables), ("Figure", figures)):
        for name, sha in files.items():
            entities[f"run:{name}"] = {"prov:type": f"songatlas:{kind}", "songatlas:sha256": sha}
            generated[f"_:generated-{name}"] = {"prov:entity": f"run:{name}", "prov:activity": run}
    return {
        "prefix": PREFIXES,
        "entity": entities,
        "activity": activities,
        "agent": {
            "run:software": {
                "prov:type": {"$": "prov:SoftwareAgent", "type": "prov:QUALIFIED_NAME"},
                "songatlas:platform": platform.platform(),
                "songatlas:python": platform.python_version(),
                **{f"songatlas:{name}": version for name, version in versions().items()},
            }
        },
        "used": used,
        "wasGeneratedBy": generated,
        "wasInformedBy": informed,
        "wasAssociatedWith": {"_:associated": {"prov:activity": run, "prov:agent": "run:software"}},
    }


def versions() -> dict[str, str]:
    """Versions of `PACKAGES`; those absent from this job's environment are left out."""
    found = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def git_state(repository: Path) -> tuple[str | None, bool | None]:
    """Commit of the code, and whether tracked files differ from it; (None, None) without git."""

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "--no-optional-locks", *arguments],
                cwd=repository,
                capture_output=True,
                text=True,
                check=True,
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    if commit is None:
        return None, None
    return commit, bool(git("status", "--porcelain", "--untracked-files=no"))


def times(results: Path) -> tuple[float, float]:
    """When the run's first job started and its last one ended, from Snakemake's records."""
    records = [read_record(path.as_posix()) for path in below(results) if path.is_file()]
    known = [record for record in records if record is not None and record["endtime"]]
    if not known:
        now = datetime.now(UTC).timestamp()
        return now, now
    return min(record["starttime"] for record in known), max(r["endtime"] for r in known)


def stamp(seconds: float) -> str:
    """A time as xsd:dateTime."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def sha256(path: Path) -> str:
    return identify(path).sha256


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
