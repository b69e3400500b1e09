"""Parameters of declared models, counted in a process of their own: the planner loads no torch.

`python -m songatlas.models.count` reads `{"models": [...], "spec": {...}}` from standard input and
prints `{name: parameters}`.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from songatlas.files import atomic

LABELS = 16
"""Classes that a model is counted with where the corpus is to say how many there are."""


def count_parameters(
    models: Sequence[Mapping[str, Any]], spec: Mapping[str, float], known: Path
) -> dict[str, int] | None:
    """Parameters by name; None where this environment cannot build models (it has no torch).

    `models` and `spec` are those of the rule `architectures`. Counting takes seconds, so what was
    counted is kept in the folder `known`.
    """
    asked = json.dumps({"models": list(models), "spec": dict(spec)}, sort_keys=True)
    kept = known / f"{hashlib.sha256(asked.encode()).hexdigest()[:16]}.json"
    try:
        counted: dict[str, int] = json.loads(kept.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        command = [sys.executable, "-m", "songatlas.models.count"]
        done = subprocess.run(command, input=asked, capture_output=True, text=True)
        if done.returncode:
            return None
        with atomic(kept) as temporary:
            temporary.write_text(done.stdout, encoding="utf-8")
        counted = json.loads(done.stdout)
    return counted


def main() -> None:
    import torch

    from songatlas.models import registry
    from songatlas.models.base import InputSpec, parameter_count

    asked = json.load(sys.stdin)
    counted = {}
    for model in asked["models"]:
        options = dict(model["options"])
        if options.get("condition_on") and options.get("n_classes") is None:
            options["n_classes"] = LABELS
        with torch.device("meta"):
            built = registry.build(
                model["architecture"],
                InputSpec(**model.get("spec", asked["spec"])),
                model["latent_dim"],
                options,
            )
        counted[model["name"]] = parameter_count(built)
    print(json.dumps(counted))


if __name__ == "__main__":
    main()
