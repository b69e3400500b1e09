"""What the evaluation promises, each with a simulation whose truth is known.

A promise more is one more entry of `PROMISES`.
"""

from functools import cache, partial
from pathlib import Path

import numpy as np

from calibration.promise import FEW, Promise
from songatlas.clustering.algorithms import cluster
from songatlas.clustering.choice import choose_k
from songatlas.clustering.consensus import consensus
from songatlas.clustering.levels import Points
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.config.models import Baseline
from songatlas.corpus.language_check import CONFIDENT, MIN_LETTERS
from songatlas.corpus.language_id import detect
from songatlas.demo.synthesis.verses import LANGUAGES, read_songbook
from songatlas.evaluation import metrics
from songatlas.evaluation.bootstrap import clopper_pearson
from songatlas.evaluation.contingency import Tables, membership
from songatlas.evaluation.factors import Factor
from songatlas.evaluation.leakage import nearest_neighbours
from songatlas.evaluation.paired import p_value
from songatlas.evaluation.probing import probe
from songatlas.evaluation.scores import _over, external_scores, target
from songatlas.features.vectors.representations import Vectors
from songatlas.latents.baselines import finished
from songatlas.new_songs.drift_table import drift
from songatlas.new_songs.novelty import full_conformal, split_conformal
from songatlas.words.describe import UNSURE, describe
from songatlas.words.measures import Measure, Measured

DEMO = Path(__file__).parents[2] / "resources" / "demo"
LEVEL = 0.05
EVEN, UNEVEN = (0.25, 0.25, 0.25, 0.25), (0.9, 0.04, 0.03, 0.03)


# --- songs with labels ---------------------------------------------------------------------------


def labelled(n: int, shares: tuple[float, ...], agreement: float, rng: np.random.Generator):
    """Classes (n,) and clusters (n,): a song lies in its class's cluster with this probability."""
    k = len(shares)
    classes = rng.choice(k, n, p=shares)
    wrong = (classes + rng.integers(1, k, n)) % k
    return classes, np.where(rng.random(n) < agreement, classes, wrong).astype(np.int32)


def scored(classes: np.ndarray, clusters: np.ndarray, evaluation: Evaluation):
    """Scores by metric, and the draws under permuted labels."""
    ids = tuple(f"{i:05d}" for i in range(len(classes)))
    points = Points("song", ids, None, np.zeros((len(ids), 1)))
    of_song = {song: f"{code:02d}" for song, code in zip(ids, classes, strict=True)}
    of = target(points, "genre", of_song, evaluation)
    draws = _over(of.shuffled, membership(clusters, of.unit, of.n_units))
    return {score.metric: score for score in external_scores(clusters, of)}, draws


def above_chance(n: int, shares: tuple[float, ...], seed: int) -> bool:
    """Whether clusters that know nothing score above 95% of what permuted labels give."""
    rng = np.random.default_rng([seed, n])
    classes, clusters = rng.choice(4, n, p=shares), rng.integers(0, 4, n).astype(np.int32)
    evaluation = Evaluation(permutations=99, bootstraps=0, seed=seed)
    scores, draws = scored(classes, clusters, evaluation)
    return bool((draws["nmi"] >= scores["nmi"].value - 1e-12).sum() < LEVEL * 100)


@cache
def expected_score(n: int, shares: tuple[float, ...], agreement: float, metric: str) -> float:
    """Mean over 4,000 collections of n songs."""
    rng = np.random.default_rng(1)
    k, tables = len(shares), []
    for _ in range(4_000):
        classes, clusters = labelled(n, shares, agreement, rng)
        tables.append(np.bincount(classes * k + clusters, minlength=k * k).reshape(k, k))
    values = metrics.FUNCTIONS[metric](Tables(np.array(tables, float), np.zeros((4_000, k))))
    return float(values.mean())


def covered(n: int, shares: tuple[float, ...], agreement: float, metric: str, seed: int) -> bool:
    rng = np.random.default_rng([seed, n])
    classes, clusters = labelled(n, shares, agreement, rng)
    evaluation = Evaluation(permutations=0, bootstraps=200, seed=seed)
    score = scored(classes, clusters, evaluation)[0][metric]
    truth = expected_score(n, shares, agreement, metric)
    return bool(score.ci_low <= truth + 1e-9 and truth <= score.ci_high + 1e-9)


def share_covered(n: int, share: float, seed: int) -> bool:
    low, high = clopper_pearson(np.random.default_rng(seed).binomial(n, share), n)
    return low <= share <= high


# --- tests of differences ------------------------------------------------------------------------


def difference_told(test: str, shift: float, seeds: int, seed: int) -> bool:
    differences = np.random.default_rng([seed, seeds]).normal(shift, 1.0, seeds)
    return bool(p_value(differences, test, seed)[0] <= LEVEL)


# --- points --------------------------------------------------------------------------------------


def groups(n: int, k: int, apart: float, rng: np.random.Generator, d: int = 6, first: float = 0.0):
    """Spheres of unit variance, centres `apart` from one another; `first`: the largest's share."""
    truth = np.arange(n) % k
    if first:
        truth = np.where(np.arange(n) < first * n, 0, 1 + truth % (k - 1))
    return apart / np.sqrt(2) * np.eye(k, d)[truth] + rng.normal(size=(n, d)), truth


def suggested(kind: str, n: int, k: int, seed: int) -> bool:
    """Whether as many clusters are suggested as there are."""
    rng = np.random.default_rng([seed, n])
    make = {
        "one group": lambda: rng.normal(size=(n, 6)),
        "one long group": lambda: rng.normal(size=(n, 6)) * [4, 3, 2, 1, 1, 1],
        "uniform": lambda: rng.uniform(size=(n, 6)),
        "apart": lambda: groups(n, k, 9.0, rng)[0],
        "90/10": lambda: groups(n, k, 9.0, rng, first=0.9)[0],
        "every song twice": lambda: np.repeat(groups(n // 2, k, 9.0, rng)[0], 2, axis=0),
    }
    settings = {"k_max": 5, "draws": 3, "references": 10, "n_init": 2, "seed": seed}
    return choose_k([make[kind]()], **settings).joint == k


def confident_song_is_right(apart: float, seed: int) -> bool:
    """Whether a song that the consensus is sure of lies with most of its group."""
    rng = np.random.default_rng(seed)
    z, truth = groups(80, 4, apart, rng)
    runs = [z + 0.3 * rng.normal(size=z.shape) for _ in range(3)]
    partitions = [
        cluster(points, algorithm, 4, n_init=2, seed=seed).labels
        for points in runs
        for algorithm in ("kmeans", "agglomerative", "gmm")
    ]
    found = consensus(partitions, 4)
    sure = np.flatnonzero(found.confidence >= 0.9)
    if not len(sure):
        return True
    song = rng.choice(sure)
    companions = truth[found.labels == found.labels[song]]
    return bool(np.bincount(companions).argmax() == truth[song])


# --- new songs -----------------------------------------------------------------------------------


def called_novel(calibrate_on: str, shift: float, seed: int) -> bool:
    rng = np.random.default_rng(seed)
    known, held_out = rng.normal(size=(40, 6)), rng.normal(size=(39, 6))
    new = rng.normal(size=(1, 6)) + shift
    if calibrate_on == "all":
        p = full_conformal(np.concatenate([known, held_out]), new, 5, LEVEL).p
    else:
        p = split_conformal(known, held_out, new, 5, LEVEL).p
    return bool(p[0] <= LEVEL)


def drifted(kind: str, width: int, shift: float, seed: int) -> bool:
    """40 training, 20 held-out and 20 new songs; scale and axes are of the training songs."""
    rng = np.random.default_rng([seed, width])
    songs = rng.normal(size=(80, width)).astype(np.float32)
    songs[60:] += shift
    vectors = Vectors([str(i) for i in range(80)], lambda: iter([songs]))
    baseline = Baseline(kind=kind, standardise=True)
    z, _ = finished(vectors, baseline, Clustering(), np.arange(80) < 40)
    return bool(drift(z[40:60], z[60:], 99, seed).p <= LEVEL)


# --- what is read from vectors -------------------------------------------------------------------


def read_above_blind(shares: tuple[float, ...], seed: int) -> bool:
    """Whether a probe's interval lies above what a probe without vectors reaches."""
    rng = np.random.default_rng(seed)
    classes = rng.choice(4, 60, p=shares)
    factor = Factor("genre", classes.astype(np.int64), categorical=True)
    found = probe(rng.normal(size=(60, 4)), factor, [str(i) for i in range(60)], folds=3, seed=seed)
    return bool(found.ci_low > found.chance)


def leaks(windows_dealt: bool, seed: int) -> bool:
    """Whether held-out windows' genre is told better by the second split than by one of songs.

    Better: the 95% intervals do not meet. Chance is no measure of leakage: it deals labels to whole
    songs, so that it is high, too, where a song has windows on both sides.
    """
    rng = np.random.default_rng(seed)
    songs = rng.normal(size=(30, 6))
    genre = {f"{i:02d}": str(rng.integers(3)) for i in range(30)}
    evaluation = Evaluation(permutations=0, bootstraps=200, seed=seed)

    def windows(of: np.ndarray) -> Points:
        ids = tuple(f"{i:02d}" for i in np.repeat(of, 3))
        z = np.repeat(songs[of], 3, axis=0) + 0.3 * rng.normal(size=(3 * len(of), 6))
        return Points("window", ids, ids, z)

    def told(known: np.ndarray, held_out: np.ndarray) -> np.ndarray:
        universe = [f"{i:02d}" for i in held_out]
        points = windows(known), windows(held_out)
        return nearest_neighbours(*points, genre, "genre", universe, evaluation).draws

    halves = rng.permutation(30).reshape(2, 15)
    by_songs = told(*np.sort(halves))
    everything = np.arange(30)
    second = told(everything, everything) if windows_dealt else told(*np.sort(halves[::-1]))
    return bool(np.nanquantile(second, 0.025) > np.nanquantile(by_songs, 0.975))


# --- names of clusters ---------------------------------------------------------------------------


def songs_with_tags(kind: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """60 songs' features (60, 8), and 6 tags (60, 6); of four groups each has its own tag."""
    if kind == "one cloud":
        z = rng.normal(size=(60, 8)) * np.linspace(2.0, 0.5, 8)
        return z, z[:, :6] + 0.3 * rng.normal(size=(60, 6))
    z, group = groups(60, 4, 9.0, rng, d=8)
    tags = 0.3 * rng.normal(size=(60, 6)) + (group[:, None] == np.arange(6))
    if kind == "shuffled":
        z, tags = rng.permuted(z, axis=0), rng.permuted(tags, axis=0)
    return z, tags


def names_of(kind: str, seed: int) -> tuple[list[str], list[str]]:
    """The names of four clusters, and the tag that each cluster's group has."""
    z, values = songs_with_tags(kind, np.random.default_rng(seed))
    of = Measured(tuple(Measure("tag", f"t{i}", f"t{i}") for i in range(6)), values)

    def clusterer(points: np.ndarray) -> np.ndarray | None:
        return cluster(points, "kmeans", 4, n_init=1, seed=seed).labels

    labels = cluster(z, "kmeans", 4, n_init=3, seed=seed).labels
    assert labels is not None
    described = describe(z, of, labels, clusterer, words=3, seed=seed)
    group = [np.bincount(np.flatnonzero(labels == i) % 4).argmax() for i in range(4)]
    return [one.name for one in described], [f"t{i}" for i in group]


def any_named(kind: str, seed: int) -> bool:
    return set(names_of(kind, seed)[0]) != {UNSURE}


def all_named_by_their_tag(seed: int) -> bool:
    names, tags = names_of("groups", seed)
    return names == tags


# --- languages -----------------------------------------------------------------------------------


@cache
def verses() -> tuple[tuple[str, str], ...]:
    """Language and lines of every verse of the demo."""
    return tuple(
        (language, line)
        for language in LANGUAGES
        for song in read_songbook(DEMO, language).songs
        for line in (*song.verse, *song.chorus, *song.second_verse)
    )


def detected_wrongly(seed: int) -> bool:
    """Whether a passage that is long and sure enough for a label gets a wrong one."""
    start = int(np.random.default_rng(seed).integers(len(verses()) - 6))
    language = verses()[start][0]
    lines = [line for code, line in verses()[start : start + 6] if code == language]
    [found] = detect(["\n".join(lines)])
    sure = found.probability >= CONFIDENT and found.letters >= MIN_LETTERS
    return sure and found.code != language


COVERAGE = [
    Promise(
        "95% intervals",
        f"the {metric} of the interval holds its mean",
        truth,
        0.9,
        1.0,
        partial(covered, n, shares, agreement, metric),
    )
    for truth, n, shares, agreement in (
        ("48 songs, 4 classes, 97% agreement", 48, EVEN, 0.97),
        ("48 songs, 4 classes, 90% agreement", 48, EVEN, 0.90),
        ("12 songs, 4 classes, 95% agreement", 12, EVEN, 0.95),
        ("200 songs, 4 classes of 90/4/3/3%, 97% agreement", 200, UNEVEN, 0.97),
        ("48 songs, 4 classes, 60% agreement", 48, EVEN, 0.60),
    )
    for metric in (("nmi", "ari", "accuracy") if agreement == 0.97 else ("nmi",))
]

PROMISES = [
    *(
        Promise(
            "chance levels",
            "NMI above 95% of permuted labels",
            f"no structure, {truth}",
            0.0,
            LEVEL,
            partial(above_chance, n, shares),
        )
        for truth, n, shares in (
            ("12 songs", 12, EVEN),
            ("48 songs", 48, EVEN),
            ("2,000 songs", 2_000, EVEN),
            ("48 songs of 90/4/3/3%", 48, UNEVEN),
        )
    ),
    *COVERAGE,
    *(
        Promise(
            "purity of a cluster",
            "the interval holds the share",
            f"{n} songs, {share:.0%}",
            0.95,
            1.0,
            partial(share_covered, n, share),
        )
        for n, share in ((1, 0.9), (5, 0.9), (30, 0.97))
    ),
    *(
        Promise(
            "paired tests",
            f"{test} has p ≤ .05",
            f"no difference, {seeds} seeds",
            0.0,
            LEVEL,
            partial(difference_told, test, 0.0, seeds),
            repeats,
        )
        for test, seeds, repeats in (("t", 5, 400), ("wilcoxon", 10, 400), ("permutation", 10, 400))
    ),
    Promise(
        "paired tests",
        "t has p ≤ .05",
        "a difference of 3 sd, 5 seeds",
        0.9,
        1.0,
        partial(difference_told, "t", 3.0, 5),
    ),
    *(
        Promise(
            "number of clusters",
            "k = 1 is suggested",
            f"{kind}, 60 songs",
            0.95,
            1.0,
            partial(suggested, kind, 60, 1),
            FEW,
        )
        for kind in ("one group", "one long group", "uniform")
    ),
    *(
        Promise(
            "number of clusters",
            f"k = {k} is suggested",
            f"{k} groups, {kind}, {n} songs",
            0.9,
            1.0,
            partial(suggested, kind, n, k),
            FEW,
        )
        for kind, n, k in (("apart", 60, 4), ("90/10", 60, 2), ("every song twice", 80, 4))
    ),
    *(
        Promise(
            "consensus",
            "a song with confidence ≥ .9 is with its group",
            truth,
            0.9,
            1.0,
            partial(confident_song_is_right, apart),
            FEW,
        )
        for truth, apart in (("4 groups apart", 7.0), ("4 groups that overlap", 4.0))
    ),
    *(
        Promise(
            "novelty",
            "a new song has p ≤ .05",
            f"like the run's, calibrated on {on}",
            0.0,
            LEVEL,
            partial(called_novel, on, 0.0),
        )
        for on in ("held_out", "all")
    ),
    Promise(
        "novelty",
        "a new song has p ≤ .05",
        "3 sd away in 6 dimensions",
        0.9,
        1.0,
        partial(called_novel, "held_out", 3.0),
    ),
    *(
        Promise(
            "drift",
            "p ≤ .05",
            f"new songs like the run's, {kind} of {width} columns",
            0.0,
            LEVEL,
            partial(drifted, kind, width, 0.0),
        )
        for kind, width in (("pca", 200), ("pca", 2_000), ("raw", 2_000))
    ),
    Promise(
        "drift",
        "p ≤ .05",
        "new songs moved by 1 sd, pca of 200 columns",
        0.9,
        1.0,
        partial(drifted, "pca", 200, 1.0),
        FEW,
    ),
    *(
        Promise(
            "probes",
            "the interval lies above a probe without vectors",
            f"no structure, {truth}",
            0.0,
            LEVEL,
            partial(read_above_blind, shares),
            FEW,
        )
        for truth, shares in (("4 classes alike", EVEN), ("classes of 90/4/3/3%", UNEVEN))
    ),
    Promise(
        "leakage",
        "genre is told better than by a split of songs",
        "genres at random, another split of songs",
        0.0,
        LEVEL,
        partial(leaks, False),
        FEW,
    ),
    Promise(
        "leakage",
        "genre is told better than by a split of songs",
        "genres at random, windows dealt at random",
        0.9,
        1.0,
        partial(leaks, True),
        FEW,
    ),
    *(
        Promise(
            "names of clusters",
            "any of 4 clusters has a name",
            truth,
            0.0,
            LEVEL,
            partial(any_named, kind),
            FEW,
        )
        for kind, truth in (
            ("shuffled", "4 groups with tags, every column shuffled, 60 songs"),
            ("one cloud", "one cloud that tags go along with, 60 songs"),
        )
    ),
    Promise(
        "names of clusters",
        "every cluster is called by its own tag",
        "4 groups apart, 60 songs",
        0.95,
        1.0,
        all_named_by_their_tag,
        FEW,
    ),
    Promise(
        "languages",
        "a language is given that is wrong",
        "verses of the demo, 4 languages",
        0.0,
        0.1,
        detected_wrongly,
    ),
]
