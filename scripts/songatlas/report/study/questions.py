"""The study's four questions, answered in words with the numbers of a run."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from songatlas.report.figures.comparison import TASK_NAMES
from songatlas.report.study.corpus_sheets import DIFFERENT
from songatlas.report.study.figures.leakage import leakage_rows
from songatlas.report.study.methods import EVERYONE
from songatlas.report.study.published import Published
from songatlas.report.study.score_sheets import LEVEL_WORDS
from songatlas.report.summary import ELSEWHERE, escape

SIGNIFICANT = 0.05
ROUNDING = 1e-9
"""What equal scores differ by."""
APART = "cannot be told apart"
LEAKAGE_METRICS = {
    "nmi": "NMI",
    "knn_accuracy": "accuracy by nearest training windows",
}
ALGORITHMS = {"kmeans": "k-means", "agglomerative": "Ward", "gmm": "GMM"}


@dataclass(frozen=True)
class Answers:
    """The tables that the answers are made from, and how the run came about.

    `ranking, pairs, correlations, methods, method_pairs` are `tables/paper_<name>.csv`; `leakage`
    is `tables/leakage.csv`; `corpus` is what `corpus_kind` says.
    """

    ranking: pd.DataFrame
    pairs: pd.DataFrame
    leakage: pd.DataFrame
    correlations: pd.DataFrame
    methods: pd.DataFrame
    method_pairs: pd.DataFrame
    published: Published
    corpus: str
    corpus_name: str
    run: str
    seeds: Sequence[int]
    level: str
    evaluate_on: str


def questions(answers: Answers) -> str:
    """The page, as Markdown."""
    parts = [
        f"# The study's questions, run `{answers.run}`: {escape(answers.corpus_name)}",
        _preface(answers),
        "## Which architecture groups the songs best?",
        *_architecture(answers),
        "## Does it matter to split songs instead of windows?",
        *_leakage(answers),
        "## Does a model that reconstructs better cluster better?",
        *_reconstruction(answers),
        "## Which clustering algorithm is best?",
        *_algorithm(answers),
    ]
    return "\n\n".join(parts) + "\n"


def _preface(answers: Answers) -> str:
    many = len(answers.seeds)
    seeds = (
        "one training seed, so what another training would give is not known"
        if many == 1
        else f"{many} training seeds"
    )
    songs = "all songs" if answers.evaluate_on == "all" else f"{answers.evaluate_on} songs"
    theirs = (
        f"its numbers are of a {DIFFERENT}: only the order of things compares"
        if answers.corpus == DIFFERENT
        else f"this corpus has the {answers.corpus}"
    )
    return (
        f"Scored on {songs}, level `{answers.level}` ({LEVEL_WORDS[answers.level]}), with {seeds}. "
        "NMI is 1 where clusters and labels are the same grouping; chance is what permuted labels "
        "reach. Brackets are 95% intervals over songs unless they say otherwise; where two overlap "
        f"and no test over seeds is quoted, two results {APART}. "
        f"The study is quoted for comparison; {theirs}."
    )


# --- 1 ------------------------------------------------------------------------------------------


def _architecture(answers: Answers) -> list[str]:
    ranking = answers.ranking
    lines = []
    for task in dict.fromkeys(ranking["task"]):
        rows = ranking[(ranking["task"] == task) & ranking["nmi"].notna()]
        shuffled = rows[rows["control"] == "shuffled_labels"].head(1)
        rows = rows[rows["control"].isna()]
        name = _task(task)
        free = rows[(rows["supervision"] == "none") & (rows["kind"] == "trained")]
        if free.empty:
            lines.append(f"- **{name}**: no trained model without labels has a score.")
            continue
        studied = free[free["model"].isin(list(answers.published.names.values()))]
        words = [_best_words(free, "all trained models without labels", answers)]
        if len(studied) and studied["model"].iloc[0] != free["model"].iloc[0]:
            words.append(_best_words(studied, "the study's models", answers))
        words += _baseline_words(rows[rows["kind"] == "baseline"])
        saw = rows[rows["supervision"] == "labels"].head(1)
        words += [
            f"The best model that was shown labels is {_scored(row)}, which is no unsupervised "
            "score."
            for _, row in saw.iterrows()
        ]
        words += [
            f"Shown labels that were permuted between songs, {_scored(row)}: what conditioning "
            "does where the label says nothing."
            for _, row in shuffled.iterrows()
        ]
        printed = answers.published.summary
        printed = printed[printed["task"] == task].nlargest(1, "nmi_mean")
        words += [
            f"In the study: {escape(row['model'])}, {row['nmi_mean']:.3f} ± {row['nmi_std']:.3f}."
            for _, row in printed.iterrows()
        ]
        lines.append(f"- **{name}** (n = {_counts(rows)}): {' '.join(words)}")
    return ["\n".join(lines)] if lines else ["Nothing was scored at this level."]


def _baseline_words(baselines: pd.DataFrame) -> list[str]:
    """The best baseline, and the best without others' labels where these made it."""
    free = baselines[baselines["supervision"] != "labels"].head(1)
    words = []
    for _, row in free.iterrows():
        if row["supervision"] == "elsewhere":
            words.append(f"The best baseline is {_scored(row)}, {ELSEWHERE}.")
            free = baselines[baselines["supervision"] == "none"].head(1)
    lead = "The best that saw nobody's labels is" if words else "The best baseline is"
    return words + [f"{lead} {_scored(row)}." for _, row in free.iterrows()]


def _best_words(rows: pd.DataFrame, of: str, answers: Answers) -> str:
    """The first of `rows` against chance, and which others it can be told apart from."""
    first, others = rows.iloc[0], rows.iloc[1:]
    chance = _number(first["chance"])
    if pd.notna(first["songs_low"]) and first["songs_low"] <= first["chance"]:
        return (
            f"Of {of}, none is shown to be above chance: {_scored(first)} comes first, and its "
            f"interval holds chance ({chance})."
        )
    words = f"Of {of}, {_scored(first)} is furthest above chance ({chance})"
    if others.empty:
        return f"{words}."
    same, how = [], set()
    for _, other in others.iterrows():
        apart, reason = _told_apart(first, other, answers)
        how.add(reason)
        if not apart:
            same.append(f"`{escape(other['model'])}`")
    means = " and ".join(sorted(how))
    if not same:
        return f"{words}; it differs from each of the {len(others)} others ({means})."
    if len(same) == len(others):
        return f"{words}, but it {APART} from any of the {len(others)} others ({means})."
    shown = ", ".join(same[:6]) + (f" and {len(same) - 6} more" if len(same) > 6 else "")
    return f"{words}; it {APART} from {shown} ({means})."


def _told_apart(first: pd.Series, other: pd.Series, answers: Answers) -> tuple[bool, str]:
    """By the paired test over seeds, else the interval of the difference, else both intervals."""
    pairs = answers.pairs
    if len(pairs):
        first_name, other_name = first["model"], other["model"]
        a, b = pairs["model_a"], pairs["model_b"]
        both = ((a == first_name) & (b == other_name)) | ((a == other_name) & (b == first_name))
        mine = pairs[both & (pairs["task"] == first["task"]) & (pairs["metric"] == "nmi")]
        for _, row in mine.head(1).iterrows():
            if pd.notna(row["p_holm"]):
                return bool(row["p_holm"] < SIGNIFICANT), "paired over seeds, Holm"
            if pd.notna(row["ci_low"]):
                held = row["ci_low"] <= 0.0 <= row["ci_high"]
                return not held, "interval of the difference over songs"
    if pd.isna(first["songs_low"]) or pd.isna(other["songs_high"]):
        return False, "no intervals"
    return bool(first["songs_low"] > other["songs_high"]), "intervals over songs"


def _scored(row: pd.Series) -> str:
    bounds = ""
    if pd.notna(row["songs_low"]):
        bounds = f" [{row['songs_low']:.2f}, {row['songs_high']:.2f}]"
    return f"`{escape(row['model'])}`, NMI {row['nmi']:.2f}{bounds}"


def _counts(rows: pd.DataFrame) -> str:
    low, high = int(rows["n"].min()), int(rows["n"].max())
    return f"{low:,}" if low == high else f"{low:,} to {high:,}, by what a model can read"


# --- 2 ------------------------------------------------------------------------------------------


def _leakage(answers: Answers) -> list[str]:
    rows = leakage_rows(answers.leakage, answers.published)
    if rows.empty:
        return [
            "This run cannot say: it has no model that was trained on windows split at random. "
            "Declare a model once more under another name with `control: random_windows`, and the "
            "answer stands here."
        ]
    lines, higher = [], 0
    keys = ["model", "task", "metric"]
    for (model, task, metric), group in rows.groupby(keys, sort=False):
        pair = {row["split"]: row for _, row in group.iterrows()}
        song, window = pair["song"], pair["window"]
        gap = window["value"] - song["value"]
        higher += _inflated(song, window)
        lines.append(
            f"- `{escape(model)}`, {_task(task)}, {LEAKAGE_METRICS[str(metric)]}: "
            f"{_bounded(song)} with songs split, {_bounded(window)} with windows split at "
            f"random, {gap:+.2f}: {_leak_words(song, window)}."
        )
    head = (
        "A split by windows puts windows of one song on both sides. On held-out windows it scores "
        f"clearly higher in {higher} of {len(lines)} comparisons."
    )
    return [head, "\n".join(lines)]


def _inflated(song: pd.Series, window: pd.Series) -> bool:
    return bool(window["ci_low"] > song["ci_high"])


def _leak_words(song: pd.Series, window: pd.Series) -> str:
    if isinstance(song["note"], str) and "by construction" in song["note"]:
        if bool(window["ci_low"] > window["chance"]):
            return "songs are recognised from their other windows, which is leakage"
        return "no song is shown to be recognised"
    if pd.isna(window["ci_low"]) or pd.isna(song["ci_high"]):
        return "without intervals this shows nothing"
    if _inflated(song, window):
        return "the intervals do not overlap, the score is inflated"
    if bool(window["ci_high"] < song["ci_low"]):
        return "the split by windows scores lower"
    return f"the two {APART}"


def _bounded(row: pd.Series) -> str:
    bounds = "" if pd.isna(row["ci_low"]) else f" [{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
    chance = "" if pd.isna(row["chance"]) else f" (chance {row['chance']:.2f})"
    return f"{row['value']:.2f}{bounds}{chance}"


# --- 3 ------------------------------------------------------------------------------------------


def _reconstruction(answers: Answers) -> list[str]:
    lines = []
    for _, row in answers.correlations.iterrows():
        who = "this run" if row["source"] == "ours" else "the study's own numbers"
        head = f"- **{_task(row['task'])}**, {who} ({int(row['models'])} models): "
        if pd.isna(row["spearman"]):
            lines.append(f"{head}{escape(row['note'])}.")
            continue
        lines.append(
            f"{head}Spearman {_correlation(row, 'spearman')}, Pearson "
            f"{_correlation(row, 'pearson')}: {_direction(row)}."
        )
    if not lines:
        return ["No model of this run reconstructs and has a score at this level."]
    head = (
        "Correlation of reconstruction loss and NMI over models; negative says that models that "
        "reconstruct better cluster better. Brackets: 95% bootstrap intervals over models."
    )
    return [head, "\n".join(lines)]


def _correlation(row: pd.Series, name: str) -> str:
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return f"{row[name]:+.2f} [{low:+.2f}, {high:+.2f}]"


def _direction(row: pd.Series) -> str:
    if row["spearman_high"] < 0:
        return "better reconstruction goes with better clusters"
    if row["spearman_low"] > 0:
        return "better reconstruction goes with worse clusters"
    return "no connection is shown, the interval of the ranks holds 0"


# --- 4 ------------------------------------------------------------------------------------------


def _algorithm(answers: Answers) -> list[str]:
    methods = answers.methods
    rows = methods[(methods["models"] == EVERYONE) & methods["nmi_mean"].notna()]
    if rows.empty:
        return ["Nothing was scored at this level."]
    rows = rows.sort_values("nmi_mean", ascending=False, kind="stable")
    means = ", ".join(
        f"{_algorithm_name(row['method'])} {row['nmi_mean']:.3f} (chance "
        f"{_number(row['chance_nmi'])}, n = {int(row['n_scores'])} scores)"
        for _, row in rows.iterrows()
    )
    words = [f"Mean NMI over all models and tasks: {means}."]
    for _, pair in answers.method_pairs.iterrows():
        better, worse = _algorithm_name(pair["better"]), _algorithm_name(pair["worse"])
        gap = f"{pair['difference']:.3f}"
        if pd.isna(pair["ci_low"]):
            words.append(f"{better} − {worse}: {gap}, too few models for an interval over them.")
            continue
        bounds = f"[{pair['ci_low']:.3f}, {pair['ci_high']:.3f}] over {int(pair['models'])} models"
        apart = pair["ci_low"] > ROUNDING
        said = f"{better} is better" if apart else f"the two {APART}"
        words.append(f"{better} − {worse}, NMI above chance: {gap} {bounds}: {said}.")
    printed = answers.published.methods.dropna(subset=["nmi_mean"])
    if len(printed):
        best = printed.sort_values("nmi_mean", ascending=False)
        theirs = ", ".join(
            f"{_algorithm_name(row['method'])} {row['nmi_mean']:.3f} ± {row['nmi_std']:.3f}"
            for _, row in best.iterrows()
        )
        words.append(f"In the study: {theirs}, without a test.")
    return ["\n".join(f"- {line}" for line in words)]


def _algorithm_name(name: object) -> str:
    return ALGORITHMS.get(str(name), str(name))


def _task(task: object) -> str:
    return TASK_NAMES.get(str(task), escape(task))


def _number(value: float) -> str:
    return "not estimated" if pd.isna(value) else f"{value:.2f}"
