"""Compare our VaDE with ClustPy 0.0.3's on scikit-learn's digits.

Both get 10 components, 50 epochs of pretraining and 50 of joint training on X / 16 with their
defaults otherwise, and take turns over the seeds in one process that offers both `--threads`; ours
trains on one of them by default.
Labels are used for scoring alone. Without ClustPy (`pip install clustpy==0.0.3`; no dependency of
the project) ours is measured alone.

    python tests/benchmarks/vade_digits.py [--seeds 5] [--threads 2] [--output FILE]
"""

import argparse
import contextlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.datasets import load_digits
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix

from songatlas.extras.vade_estimator import VaDE

OUTPUT = Path("results/benchmarks/vade_digits.json")

Fit = Callable[[np.ndarray, int], np.ndarray]


def accuracy(truth: np.ndarray, labels: np.ndarray) -> float:
    """Share of samples in the class that their cluster is matched with (Hungarian algorithm)."""
    counts = contingency_matrix(truth, labels)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return float(counts[rows, columns].sum() / len(truth))


def ours(X: np.ndarray, seed: int) -> np.ndarray:
    return VaDE(n_clusters=10, pretrain_epochs=50, epochs=50, seed=seed).fit_predict(X)


def clustpy() -> Fit | None:
    """ClustPy's estimator, None where it cannot be imported."""
    try:
        from clustpy.deep import VaDE as Theirs
    except ImportError as error:
        print(f"ClustPy is not installed ({error}): measuring ours alone")
        return None

    def fit(X: np.ndarray, seed: int) -> np.ndarray:
        model = Theirs(n_clusters=10, pretrain_epochs=50, clustering_epochs=50, random_state=seed)
        with contextlib.redirect_stderr(io.StringIO()):  # progress bars
            labels: np.ndarray = model.fit(X).labels_
        return labels

    return fit


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    X, truth = load_digits(return_X_y=True)
    X = (X / 16.0).astype(np.float32)
    methods: dict[str, Fit] = {"songatlas": ours}
    if (theirs := clustpy()) is not None:
        methods["clustpy"] = theirs
    rows = []
    for seed in range(arguments.seeds):
        for name, fit in methods.items():
            wall, cpu = time.perf_counter(), time.process_time()
            labels = fit(X, seed)
            row = {
                "method": name,
                "seed": seed,
                "nmi": float(normalized_mutual_info_score(truth, labels)),
                "accuracy": accuracy(truth, labels),
                "seconds": time.perf_counter() - wall,
                "cpu_seconds": time.process_time() - cpu,
            }
            rows.append(row)
            print(row, flush=True)
    table = pd.DataFrame(rows)
    mean = table.drop(columns="seed").groupby("method", sort=False).mean()
    for column in ("seconds", "cpu_seconds"):
        # Above 1 where a method takes longer than ours.
        mean[f"{column}_ratio"] = mean[column] / mean.loc["songatlas", column]
    print(mean.to_string(float_format="{:.3f}".format))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    result = {"threads": arguments.threads, "runs": rows, "mean": mean.to_dict(orient="index")}
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
