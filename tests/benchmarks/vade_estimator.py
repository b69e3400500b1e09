"""Compare our VaDE with ClustPy 0.0.3's, each beside its own start, on data sets with classes.

Ours runs with its defaults on the values as they are. ClustPy's runs twice: on standardised columns
with the mean squared error (its default loss refuses values outside [0, 1]), and on all values
brought to [0, 1] together with its default loss. It gets as many epochs as ours, and its defaults
otherwise; its start is the Gaussian mixture of its pretrained latents. k-means and a
Gaussian mixture of full covariances, on standardised columns, stand beside both. Labels are used
for scoring alone. Without ClustPy (`pip install clustpy==0.0.3`; no dependency of the project) ours
is measured alone.

    python tests/benchmarks/vade_estimator.py [--seeds 100 101 102 103 104] [--also mine.npz]

`--also` names an .npz file with `X` (n, d) and `genre` (n,), such as musicnn vectors of songs.
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
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.mixture import GaussianMixture
from sklearn.preprocessing import scale

from songatlas.extras.vade_estimator import VaDE

OUTPUT = Path("results/benchmarks/vade_estimator.json")

LOADERS = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "digits": load_digits,
}

Partitions = dict[str, np.ndarray]
Fit = Callable[[np.ndarray, int, int], Partitions]


def accuracy(truth: np.ndarray, labels: np.ndarray) -> float:
    """Share of samples in the class that their cluster is matched with (Hungarian algorithm)."""
    counts = contingency_matrix(truth, labels)
    rows, columns = linear_sum_assignment(counts, maximize=True)
    return float(counts[rows, columns].sum() / len(truth))


def ours(X: np.ndarray, k: int, seed: int) -> Partitions:
    model = VaDE(k, random_state=seed).fit(X)
    return {"start": model.initial_labels_, "end": model.labels_}


def k_means(X: np.ndarray, k: int, seed: int) -> Partitions:
    return {"end": KMeans(k, n_init=10, random_state=seed).fit_predict(scale(X))}


def gaussian_mixture(X: np.ndarray, k: int, seed: int) -> Partitions:
    return {"end": GaussianMixture(k, reg_covar=1e-3, random_state=seed).fit_predict(scale(X))}


class FirstMixture(GaussianMixture):
    """ClustPy's start, which keeps the labels it gave."""

    labels: np.ndarray

    def fit(self, X: np.ndarray, y: object = None) -> "FirstMixture":
        super().fit(X)
        FirstMixture.labels = self.predict(X)
        return self


def clustpy() -> dict[str, Fit]:
    """ClustPy's estimator on either scale, nothing where it cannot be imported."""
    try:
        from clustpy.deep import VaDE as Theirs
    except ImportError as error:
        print(f"ClustPy is not installed ({error}): measuring ours alone")
        return {}

    def fit(X: np.ndarray, k: int, seed: int, loss: torch.nn.Module) -> Partitions:
        model = Theirs(
            k,
            pretrain_epochs=50,
            clustering_epochs=50,
            ssl_loss_fn=loss,
            initial_clustering_class=FirstMixture,
            initial_clustering_params={"n_init": 10, "covariance_type": "diag"},
            random_state=seed,
        )
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            model.fit(X.astype(np.float32))
        return {"start": FirstMixture.labels, "end": model.labels_}

    return {
        "clustpy": lambda X, k, seed: fit(scale(X), k, seed, torch.nn.MSELoss()),
        "clustpy, [0, 1]": lambda X, k, seed: fit(
            (X - X.min()) / np.ptp(X), k, seed, torch.nn.BCELoss(reduction="sum")
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[100, 101, 102, 103, 104])
    parser.add_argument("--only", nargs="+", help="names of the data sets to run, all by default")
    parser.add_argument("--also", type=Path, action="append", default=[])
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = {name: loader(return_X_y=True) for name, loader in LOADERS.items()}
    for path in arguments.also:
        with np.load(path) as stored:
            data[path.stem] = stored["X"], np.unique(stored["genre"], return_inverse=True)[1]
    data = {name: data[name] for name in arguments.only or data}
    methods: dict[str, Fit] = {
        "songatlas": ours,
        **clustpy(),
        "k-means": k_means,
        "gaussian mixture": gaussian_mixture,
    }
    rows = []
    for name, (X, truth) in data.items():
        for seed in arguments.seeds:
            for method, fit in methods.items():
                cpu = time.process_time()
                partitions = fit(X, len(set(truth)), seed)
                row = {"data": name, "method": method, "seed": seed}
                row["cpu_seconds"] = time.process_time() - cpu
                for moment, labels in partitions.items():
                    row[f"nmi_{moment}"] = normalized_mutual_info_score(truth, labels)
                    row[f"accuracy_{moment}"] = accuracy(truth, labels)
                rows.append(row)
                print(row, flush=True)
    table = pd.DataFrame(rows).drop(columns="seed")
    mean = table.groupby(["data", "method"], sort=False).mean()
    print(mean.to_string(float_format="{:.3f}".format))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    result = {"runs": rows, "mean": mean.reset_index().to_dict(orient="records")}
    arguments.output.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
