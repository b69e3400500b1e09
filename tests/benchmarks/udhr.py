"""Do lyrics group by meaning or by language? One text in 51 languages, thirty articles in each.

    OMP_NUM_THREADS=2 python tests/benchmarks/udhr.py [udhr.csv] [--seeds 5] [--role query]

Prints Markdown: k-means with 30 clusters against article and against language (means over seeds),
and how often the nearest article of all other languages is a translation (R@1). `centred` is
`centre_by_language` with the languages that py3langid hears in the texts; no label is used but for
scoring. Takes minutes.
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
from harness import ROOT
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

from songatlas.features.lyrics.e5 import E5, centre_by_language
from songatlas.features.lyrics.tfidf import TfidfSvd

SHARED = Path(os.environ.get("SONGATLAS_SHARED", ROOT.parent / "shared"))
TEXTS = SHARED / "texts" / "udhr.csv"
ARTICLES = 30


def heard(texts: list[str]) -> list[str]:
    """The language of each text by py3langid."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    return [identifier.classify(text)[0] for text in texts]


def agreement(vectors: np.ndarray, texts: pd.DataFrame, seeds: int) -> list[float]:
    """NMI and AMI of k-means with the article, then with the language; means over seeds."""
    scores = []
    for seed in range(seeds):
        found = KMeans(ARTICLES, n_init=10, random_state=seed).fit_predict(vectors)
        scores.append(
            [
                score(texts[truth], found)
                for truth in ("article", "language")
                for score in (normalized_mutual_info_score, adjusted_mutual_info_score)
            ]
        )
    return list(np.mean(scores, axis=0))


def recall(vectors: np.ndarray, texts: pd.DataFrame) -> float:
    """Share of texts whose nearest one of any other language is the same article."""
    language, article = texts["language"].to_numpy(), texts["article"].to_numpy()
    alike = vectors @ vectors.T
    alike[language[:, None] == language] = -np.inf
    return float((article[alike.argmax(axis=1)] == article).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path, nargs="?", default=TEXTS)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--role", choices=("query", "passage"), default="query")
    arguments = parser.parse_args()
    # `nan` is the code of Min Nan.
    texts = pd.read_csv(arguments.texts, keep_default_na=False)
    said = list(texts["text"])
    encoder, began = E5(arguments.role), time.perf_counter()
    plain = encoder.transform(said)
    seconds = time.perf_counter() - began
    ways = {
        "e5": plain,
        "e5, centred": centre_by_language(plain, heard(said)),
        "TF-IDF, 32": TfidfSvd(1, 3, 32, 0).fit(said).transform(said),
        "TF-IDF, 384": TfidfSvd(1, 3, 384, 0).fit(said).transform(said),
    }
    print(f"{len(said)} texts by {encoder.engine.name} ({arguments.role}) in {seconds:.0f} s\n")
    print("| vectors | article NMI | article AMI | language NMI | language AMI | R@1 |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, vectors in ways.items():
        scores = [*agreement(vectors, texts, arguments.seeds), recall(vectors, texts)]
        print(f"| {name} | {' | '.join(f'{score:.3f}' for score in scores)} |", flush=True)


if __name__ == "__main__":
    main()
