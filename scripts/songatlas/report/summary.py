"""A run's result on one page of plain words, as Markdown."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from songatlas import tables
from songatlas.clustering.views import named_by_view
from songatlas.config import feature_registry as registry
from songatlas.corpus.folds import PREFIX
from songatlas.corpus.languages import given_languages
from songatlas.corpus.shared_splits import shared_splits
from songatlas.errors import SongatlasError
from songatlas.evaluation.best import best_representation
from songatlas.report.ending import WORDS as FATE_WORDS
from songatlas.report.fates import read_fates
from songatlas.report.figures.comparison import LEVELS, TASK_NAMES, read_comparison
from songatlas.training.collapse import COLLAPSED_SHARE, collapsed
from songatlas.training.control_notes import DESCRIPTIONS, UNTRAINED

FEW_SONGS = 100
FEW_PER_CLASS = 10
FEW_SEEDS = 3
MAX_LISTED = 12

JOINERS = "\u200c\u200d"
"""Invisible, but Persian and Devanagari words are misspelt without them."""

NUMBER = r"\d+(?:\.\d+)?"

OTHER_SONGS = "other songs, so the two are not strictly comparable"

ELSEWHERE = (
    "whose weights were trained on other people's labels and may have heard some of these songs"
)
"""Stands behind the name of a representation with the supervision `elsewhere`."""


@dataclass(frozen=True)
class Inputs:
    """The tables that the summary is made from (schemas in `tables.py`).

    `comparison` is `tables/comparison.csv`; `rejects` and `warnings` are those of all stages
    together; `trainings` are the `summary.json` of every training, with a `note` where the corpus
    gave a model nothing to train on; `fates` is `tables/fates.csv` (none: no section about it);
    `pretrained` has `name, title, trained_on, licence, citation, supervision` of every baseline
    that is made of pretrained weights; `names` is `tables/names.csv` (none: clusters have none).
    """

    comparison: pd.DataFrame
    tracks: pd.DataFrame
    labels: pd.DataFrame
    windows: pd.DataFrame
    rejects: pd.DataFrame
    warnings: pd.DataFrame
    trainings: Sequence[Mapping[str, Any]]
    fates: pd.DataFrame | None = None
    pretrained: Sequence[Mapping[str, Any]] = ()
    near_copies: pd.DataFrame | None = None
    names: pd.DataFrame | None = None


NEEDED = ("model", "seed", "active_units", "latent_dim")
"""Keys of a training's `summary.json` that the page reads."""


def read_inputs(
    *,
    comparison: str | Path,
    tracks: str | Path,
    near_copies: str | Path | None = None,
    labels: str | Path,
    windows: str | Path,
    rejects: str | Path | Sequence[str | Path],
    warnings: str | Path | Sequence[str | Path],
    trainings: str | Path | Sequence[str | Path],
    fates: str | Path | None = None,
    pretrained: Sequence[Mapping[str, Any]] = (),
    names: str | Path | None = None,
) -> Inputs:
    """Read the files of a run; rejects, warnings and trainings are one file or several.

    `pretrained` is handed on as it is.

    Raises:
        TableError: when a table is missing or breaks its schema.
        SongatlasError: when a training's summary lacks a key.
    """
    facts = []
    for path in _several(trainings):
        facts.append(json.loads(Path(path).read_text(encoding="utf-8")))
        missing = [key for key in NEEDED if key not in facts[-1]]
        if missing:
            raise SongatlasError(
                f"{path}: lacks {', '.join(missing)}; delete the file and train the model again"
            )
    return Inputs(
        comparison=read_comparison(comparison),
        tracks=shared_splits(tables.read(tracks, tables.TRACKS), near_copies),
        labels=tables.read(labels, tables.LABELS),
        windows=tables.read(windows, tables.WINDOWS),
        rejects=_each_song_once(_together(_several(rejects), tables.REJECTS)),
        warnings=_together(_several(warnings), tables.WARNINGS),
        trainings=facts,
        fates=None if fates is None else read_fates(fates),
        pretrained=pretrained,
        near_copies=(None if near_copies is None else tables.read(near_copies, tables.NEAR_COPIES)),
        names=None if names is None else pd.read_csv(names, keep_default_na=False),
    )


def _several(paths: str | Path | Sequence[str | Path]) -> Sequence[str | Path]:
    return [paths] if isinstance(paths, str | Path) else paths


def _together(paths: Sequence[str | Path], table: tables.Table) -> pd.DataFrame:
    parts = [tables.read(path, table) for path in paths]
    return pd.concat(parts, ignore_index=True) if parts else tables.empty(table)


def _decoding(rejects: pd.DataFrame) -> pd.Series:
    """Whether a reject is of a stage that decodes whole songs."""
    stage = rejects["stage"].astype(str)
    features = [one.name for one in registry.heard()]
    return stage.isin(features) | stage.str.startswith("encoder-")


def _each_song_once(rejects: pd.DataFrame) -> pd.DataFrame:
    """A song that several stages failed to decode for the same reason is one reject."""
    later = _decoding(rejects)
    return rejects[~(later & rejects.assign(later=later).duplicated(["later", "path", "reason"]))]


def summary(inputs: Inputs, *, run: str, corpus_name: str, seeds: Sequence[int]) -> str:
    """The page: what was run on what, what won, what to distrust, where the files are."""
    # What was not trained has nothing to compare; it is named once, among what was run.
    compared = ~inputs.comparison["model"].isin(_untrained(inputs))
    inputs = replace(inputs, comparison=inputs.comparison[compared])
    untrained = _untrained_controls(inputs)
    inputs, controls = _without_controls(inputs)
    parts = [
        f"# Songatlas, run `{run}`: {escape(corpus_name)}",
        "## What was run",
        _bullets([*_what_was_run(inputs, seeds), *controls]),
        *_pretrained(inputs.pretrained),
        *_what_became(inputs.fates),
        "## What groups the songs best",
        *_results(inputs, untrained),
        *_groups(inputs),
        "## What to distrust",
        _bullets(_doubts(inputs, corpus_name, seeds)),
        "## Files",
        _files(run, inputs),
    ]
    return "\n\n".join(parts) + "\n"


def escape(text: object) -> str:
    """Text from songs or tags, as literal text in Markdown and in the HTML made from it.

    Only what would be read as markup is escaped: `rock & roll` stays as it is.
    """
    kept = (c if c.isprintable() or c in JOINERS else " " for c in str(text))
    one_line = " ".join("".join(kept).split())
    # Inside a word an underscore is only an underscore; other marks count at the line's start.
    marks = r"([\\`*\[\]|~$]|(?<!\w)[_#]|_(?!\w)|^[>+=-])"
    marked = re.sub(marks, r"\\\1", one_line)
    return re.sub(r"&(?=#?\w+;)", "&amp;", marked).replace("<", "&lt;")


def _numbered_genres(genres: pd.Series) -> str:
    """Which genre each number in a figure stands for; empty where no letters are missing."""
    if genres.dropna().map(str.isascii).all():
        return ""
    from songatlas.report.figures.map import numbered_names

    shown = numbered_names(genres)
    return ", ".join(f"`{label}` is {escape(name)}" for name, label in shown.items())


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _what_was_run(inputs: Inputs, seeds: Sequence[int]) -> list[str]:
    tracks, windows = inputs.tracks, inputs.windows
    lyrics = (tracks["lyrics"].notna() & (tracks["lyrics"] != "")).sum()
    detected = inputs.labels["language"].notna() & given_languages(inputs.labels).isna()
    lines = [
        f"{_count(len(tracks), 'song')}: {tracks['audio_path'].notna().sum()} with audio, "
        f"{lyrics} with lyrics; {_split_words(tracks, seeds)}.",
        f"{_count(len(windows), 'window')} from {windows['track_id'].nunique()} songs"
        + (f", {windows['padded'].sum()} of them padded." if windows["padded"].any() else "."),
        f"Languages: {_tally(inputs.labels['language'])}"
        + (f"; {detected.sum()} of them detected in lyrics." if detected.any() else "."),
        f"Genres: {_tally(inputs.labels['genre'])}.",
    ]
    if key := _numbered_genres(inputs.labels["genre"]):
        lines.append(f"Figures number the genres for which this machine has no letters: {key}.")
    if inputs.near_copies is not None and len(inputs.near_copies):
        recordings = inputs.near_copies["group"].nunique()
        lines.append(
            f"{len(inputs.near_copies)} songs are {_count(recordings, 'recording')} in several "
            "encodings (`tables/near_copies.csv`); each recording has one split."
        )
    trained = _trained(inputs)
    models = list(dict.fromkeys(inputs.comparison["model"]))
    baselines = [name for name in models if name not in trained]
    if trained:
        which = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"
        lines.append(f"{_count(len(trained), 'trained model')} ({which}): {_names(trained)}.")
    if baselines:
        lines.append(f"{_count(len(baselines), 'baseline')}: {_names(baselines)}.")
    reasons: dict[str, list[str]] = {}
    for model, why in _untrained(inputs).items():
        reasons.setdefault(why, []).append(model)
    lines += [f"Not trained: {_names(names)}: {escape(why)}." for why, names in reasons.items()]
    lines.append(f"Inputs set aside: {_reasons(inputs.rejects)}.")
    later = inputs.rejects[_decoding(inputs.rejects)].drop_duplicates("path")
    if len(later):
        lines.append(f"Songs among them that only later stages found unusable: {_reasons(later)}.")
    lines.append(f"Inputs used with a warning: {_reasons(inputs.warnings)}.")
    return lines


def _pretrained(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line per baseline of pretrained weights: what they were trained on, and their licence."""
    if not rows:
        return []
    return ["## Pretrained weights in this run", _bullets([_weights(row) for row in rows])]


def _weights(row: Mapping[str, Any]) -> str:
    told = {key: escape(row[key]) for key in ("title", "citation", "trained_on", "licence")}
    heard = ""
    if row["supervision"] == "elsewhere":
        heard = " They saw other people's labels and may have heard some of these songs."
    return (
        f"`{row['name']}` ({told['title']}; {told['citation']}): trained on {told['trained_on']}; "
        f"licence: {told['licence']}.{heard}"
    )


def _what_became(fates: pd.DataFrame | None) -> list[str]:
    """How many inputs had which fate, by stage and reason."""
    if fates is None:
        return []
    each = fates.drop_duplicates("path")["fate"].value_counts()
    total = "; ".join(f"{each.get(fate, 0)} {words}" for fate, words in FATE_WORDS.items())
    reasons = fates[fates["fate"] != "used"].groupby(["fate", "reason", "stage"])["path"].nunique()
    parts = [
        "## What became of every input",
        f"{_count(fates['path'].nunique(), 'input')}: {total}.",
    ]
    if len(reasons):
        rows = [
            f"| {FATE_WORDS[str(row.fate)]} | `{row.reason}` | `{row.stage}` | {row.path} |"
            for row in reasons.reset_index().itertuples()
        ]
        head = ["| fate | reason | stage | inputs |", "| --- | --- | --- | ---: |"]
        parts.append("\n".join([*head, *rows]))
    return [
        *parts,
        "`tables/fates.csv` lists every one of them with its reason. A song counts with each of "
        "its files: lyrics of a song that is set aside are set aside with it.",
    ]


def _folds(tracks: pd.DataFrame) -> list[str]:
    """Names of the folds in order; empty without cross-validation."""
    names = {name for name in map(str, tracks["split"]) if name.startswith(PREFIX)}
    return sorted(names, key=lambda name: int(name.removeprefix(PREFIX)))


def _split_words(tracks: pd.DataFrame, seeds: Sequence[int]) -> str:
    """How many songs train, validate and test, or how many each fold holds."""
    splits, folds = tracks["split"].value_counts(), _folds(tracks)
    if not folds:
        return (
            f"{splits.get('train', 0)} for training, {splits.get('validation', 0)} for validation, "
            f"{splits.get('test', 0)} for test"
        )
    heard = tracks.loc[tracks["audio_path"].notna(), "split"].value_counts()
    sizes = ", ".join(str(heard.get(name, 0)) for name in folds)
    held_out = len({seed % len(folds) for seed in seeds})
    some = "" if held_out == len(folds) else f", of which `seeds` hold out {held_out}"
    return (
        f"{len(folds)}-fold cross-validation by song{some} (songs with audio per fold: {sizes}); "
        "every fold is scored by what was trained on the others"
    )


def _results(inputs: Inputs, untrained: pd.DataFrame) -> list[str]:
    """A sentence or two per task, and one table of the winners."""
    if inputs.comparison.empty:
        return ["Nothing was scored: no representation has vectors for songs with labels."]
    sentences, rows = [], []
    for task in dict.fromkeys(inputs.comparison["task"]):
        scored = _scored(inputs.comparison, task)
        name = TASK_NAMES.get(task, escape(task))
        if scored.empty:
            sentences.append(f"**{name}**: not scored (too few labels or songs).")
            continue
        sentences.append(f"**{name}**: {_winner(scored, _trained(inputs), untrained)}")
        rows += _table_rows(name, scored, _trained(inputs))
    head = [
        "Normalised mutual information (NMI) says how well clusters that were found without "
        "looking at labels agree with them: 1 is the same grouping, chance is what permuted labels "
        "reach. Means are over the summary algorithms at k = number of classes, and over seeds. "
        "Representations are ranked by how far they are above their own chance level, which "
        "depends on the number of songs.",
    ]
    if not rows:
        return [*head, _bullets(sentences)]
    table = [
        "| task | kind | representation | n | NMI | chance | above chance |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: |",
        *rows,
    ]
    return [*head, _bullets(sentences), "\n".join(table)]


def _groups(inputs: Inputs) -> list[str]:
    """One sentence on the groups of the representation that stands for the run."""
    if inputs.names is None or inputs.names.empty:
        return []
    best = best_representation(inputs.comparison, list(dict.fromkeys(inputs.names["model"])))
    own = inputs.names[inputs.names["model"] == best.model]
    sizes = own.groupby("name", sort=False)["songs"].agg(["sum", "size"])
    parts = []
    for name, (songs, groups) in zip(sizes.index, sizes.to_numpy(), strict=True):
        several = f" in {groups} groups" if groups > 1 else ""
        parts.append(f"{escape(name)} ({songs}{several})")
    return [
        f"The groups of `{best.model}` ({best.why}), {len(own)} of them, with their numbers of "
        f"songs: {', '.join(parts)}."
    ]


def _scored(comparison: pd.DataFrame, task: str) -> pd.DataFrame:
    """Rows with a score at the level that counts, the furthest above chance first.

    Columns are added: `above`, NMI above chance (NMI where chance was not estimated), and `name`,
    the model with its view where it has any.
    """
    rows = comparison[(comparison["task"] == task) & comparison["nmi_mean"].notna()]
    rows = rows[rows["level"] == _level(rows)]
    above = rows["nmi_mean"] - rows["chance_nmi"].fillna(0.0)
    rows = rows.assign(above=above, name=named_by_view(rows)["model"])
    return rows.sort_values(["above", "nmi_mean", "name"], ascending=[False, False, True])


def _level(rows: pd.DataFrame) -> str | None:
    return next((level for level in LEVELS if (rows["level"] == level).any()), None)


def _winner(scored: pd.DataFrame, trained: Sequence[str], untrained: pd.DataFrame) -> str:
    free = scored[scored["supervision"] != "labels"]
    if free.empty:
        return "only models that saw labels were scored, so there is no unsupervised result."
    first = free.iloc[0]
    things = "windows" if first["level"] == "window" else "songs"
    words = [
        f"`{first['name']}`{_aside(first)} groups {int(first['n'])} {things} best, NMI "
        f"{_pm(first)}; {_against_chance(first)}{_of_training(first, untrained)}"
    ]
    is_trained = first["model"] in trained
    rivals = free[free["model"].isin(trained) != is_trained]
    if rivals.empty:
        words.append(f"There is no {'baseline' if is_trained else 'trained model'} beside it.")
    else:
        rival = rivals.iloc[0]
        words.append(_against(first, rival, is_trained) + _of_training(rival, untrained))
    told = set(rivals["name"].head(1))
    for _, second in free.iloc[1:2].iterrows():
        if second["n"] != first["n"] and second["name"] not in told:
            words.append(
                f"The runner-up, `{second['name']}`{_aside(second) or ','} was scored on "
                f"{int(second['n'])} instead: {OTHER_SONGS}."
            )
    taught = scored[scored["supervision"] == "labels"]
    if not taught.empty:
        words.append(
            f"Models that saw labels in training do not compete; the best of them is "
            f"`{taught.iloc[0]['name']}` with {taught.iloc[0]['nmi_mean']:.2f}"
            f"{_above(taught.iloc[0])}."
        )
    return " ".join(words)


def _aside(row: pd.Series) -> str:
    """What the name of a representation is never without; empty where nobody's labels were seen."""
    return f", {ELSEWHERE}," if row["supervision"] == "elsewhere" else ""


def _against_chance(row: pd.Series) -> str:
    if pd.isna(row["chance_nmi"]):
        return "chance was not estimated (`evaluation.permutations` is 0)."
    chance = f"chance ({row['chance_nmi']:.2f})"
    if row["above"] <= 0:
        return f"that is no better than {chance}."
    if row["above"] <= _sd(row):
        return (
            f"that is not clearly above {chance}: the difference, {row['above']:.2f}, is within "
            "one standard deviation."
        )
    return f"that is {row['above']:.2f} above {chance}."


def _of_training(row: pd.Series, untrained: pd.DataFrame) -> str:
    """What training gives of a score, where the model has an untrained control."""
    twins = untrained.assign(control=untrained["model"], model=untrained["control_of"])
    scored = _scored(twins, row["task"])
    same = scored[scored["name"] == row["name"]]
    if same.empty:
        return ""
    control = same.iloc[0]
    gain = row["above"] - control["above"]
    close = abs(gain) <= max(_sd(row), _sd(control))
    given = f"{gain:.2f}" if gain > 0 else "nothing"
    return (
        f" Of this, training gives {given}{' (within the spread)' if close else ''}: untrained, "
        f"the same network (`{control['control']}`) reaches {_pm(control)}."
    )


def _above(row: pd.Series) -> str:
    if pd.isna(row["chance_nmi"]):
        return ""
    return f" ({abs(row['above']):.2f} {'above' if row['above'] >= 0 else 'below'} chance)"


def _against(first: pd.Series, rival: pd.Series, is_trained: bool) -> str:
    gap = first["above"] - rival["above"]
    close = gap <= max(_sd(first), _sd(rival))
    verdict = (
        f"{gap:.2f} behind, which is within the spread: a tie" if close else f"{gap:.2f} behind"
    )
    simple = "" if rival["supervision"] == "elsewhere" else "simple "
    kind = f"best {simple}baseline" if is_trained else "best trained model without labels"
    lead = "" if is_trained else "It is a simple baseline; no training was needed. "
    if lead and first["supervision"] == "elsewhere":
        lead = "It is a baseline; nothing was trained on this corpus. "
    other = ""
    if first["n"] != rival["n"]:
        other = f" (on {int(rival['n'])} instead: {OTHER_SONGS})"
    reached = f"{_pm(rival)}{_above(rival)}"
    name = f"`{rival['name']}`{_aside(rival) or ','}"
    return f"{lead}The {kind}, {name} reaches {reached}, {verdict}{other}."


def _table_rows(name: str, scored: pd.DataFrame, trained: Sequence[str]) -> list[str]:
    kinds = {
        "trained": scored["model"].isin(trained) & (scored["supervision"] == "none"),
        "baseline": ~scored["model"].isin(trained) & (scored["supervision"] == "none"),
        "others' labels": scored["supervision"] == "elsewhere",
        "saw labels": scored["supervision"] == "labels",
    }
    rows = []
    for kind, mask in kinds.items():
        if not mask.any():
            continue
        row = scored[mask].iloc[0]
        chance = row["chance_nmi"]
        cells = ["", ""] if pd.isna(chance) else [f"{chance:.2f}", f"{row['above']:+.2f}"]
        rows.append(
            f"| {name} | {kind} | `{row['name']}` | {int(row['n'])} | {_pm(row)} | "
            f"{' | '.join(cells)} |"
        )
    return rows


def _doubts(inputs: Inputs, corpus_name: str, seeds: Sequence[int]) -> list[str]:
    lines = []
    if "synthetic" in corpus_name.lower():
        lines.append(
            "The corpus is synthetic: it shows that the pipeline works, and says nothing about "
            "real music."
        )
    lines += _doubts_about_size(inputs)
    trained = _trained(inputs)
    if trained and len(seeds) < FEW_SEEDS:
        lines.append(
            f"Only {_count(len(seeds), 'training seed')}: another seed may rank the models "
            f"differently. Set `seeds` to at least {FEW_SEEDS}."
        )
    unused = [i for i in inputs.trainings if collapsed(i["active_units"], i["latent_dim"])]
    if unused:
        units = ", ".join(
            f"`{item['model']}` (seed {item['seed']}: {item['active_units']} of "
            f"{item['latent_dim']} units active)"
            for item in unused
        )
        lines.append(
            f"Collapsed posteriors (fewer than {COLLAPSED_SHARE:.0%} of latent units active), "
            f"whose latents hold hardly anything of the song: {units}."
        )
    taught = inputs.comparison[inputs.comparison["supervision"] == "labels"]["model"]
    if len(taught):
        lines.append(
            f"{_names(list(dict.fromkeys(taught)))} saw labels in training: high scores on those "
            "labels are expected and are not a discovery."
        )
    elsewhere = inputs.comparison[inputs.comparison["supervision"] == "elsewhere"]["model"]
    if len(elsewhere):
        lines.append(
            f"{_names(list(dict.fromkeys(elsewhere)))} have weights that were trained on other "
            "people's labels: they may have heard some of these songs, and what they know of "
            "languages and genres is no discovery."
        )
    compared = named_by_view(inputs.comparison)
    lines += _doubts_about_best(compared)
    lines += _notes(compared)
    return lines or ["Nothing stood out."]


def _doubts_about_size(inputs: Inputs) -> list[str]:
    lines = []
    tracks, comparison = inputs.tracks, inputs.comparison
    if len(tracks) < FEW_SONGS:
        lines.append(
            f"{_count(len(tracks), 'song')} are few: intervals are wide and one song moves a score."
        )
    for column, known in (
        ("language", given_languages(inputs.labels)),
        ("genre", inputs.labels["genre"]),
    ):
        counts = known.value_counts()
        missing = int(known.isna().sum())
        small = counts[counts < FEW_PER_CLASS]
        if len(small):
            lines.append(
                f"{len(small)} of {len(counts)} {column} classes have fewer than {FEW_PER_CLASS} "
                "songs."
            )
        if missing:
            lines.append(
                f"{missing} of {len(tracks)} songs have no {column} and are not scored by it."
            )
    of_songs = comparison[comparison["level"] != "window"]["n"]
    unseen = int((tracks["split"] != "train").sum())
    if _trained(inputs) and len(of_songs.dropna()) and of_songs.max() > unseen:
        lines.append(
            "Songs that models were trained on are among those scored (`evaluation.evaluate_on`); "
            "labels play no part in training except where it is said."
        )
    return lines


def _doubts_about_best(comparison: pd.DataFrame) -> list[str]:
    """What a best of many tries is worth, at the level at which each task was ranked."""
    lines, by_chance = [], []
    for task in dict.fromkeys(comparison["task"]):
        rows = comparison[(comparison["task"] == task) & comparison["best_nmi"].notna()]
        scored = rows[rows["nmi_mean"].notna()]
        level = _level(rows if scored.empty else scored)
        rows = rows[rows["level"] == level]
        by_chance += list(rows["best_chance_nmi"].dropna())
        by_luck = rows[rows["best_nmi"] <= rows["best_chance_nmi"]]
        if len(by_luck):
            lines.append(
                f"{TASK_NAMES.get(task, escape(task))} (level `{level}`): the best clustering of "
                f"{_names(list(by_luck['model']))} is no better than the best of as many tries on "
                "permuted labels."
            )
    if by_chance:
        lines.append(
            "`best_nmi` is a maximum over everything tried; read it against `best_chance_nmi`, "
            f"the same maximum on permuted labels (up to {max(by_chance):.2f} here), and rank by "
            "`nmi_mean` less `chance_nmi`."
        )
    return lines


def _notes(comparison: pd.DataFrame) -> list[str]:
    """What the comparison table itself says of single representations.

    Notes that differ in their numbers only are told once, with the range of each number; notes of
    principal components are about one representation, so only its own numbers are joined.
    """
    noted = comparison.dropna(subset=["note"])
    parts = noted.assign(note=noted["note"].astype(str).map(_parts)).explode("note")
    if parts.empty:
        return []
    alike = parts["note"].str.replace(NUMBER, "#", regex=True)
    own = parts["model"].where(parts["note"].str.startswith("PCA "), "")
    who_says: dict[str, list[str]] = {}
    for _, rows in parts.groupby([alike, own], sort=False):
        said = _with_ranges(list(rows["note"])).replace("->", "→")
        who_says.setdefault(said, []).extend(dict.fromkeys(rows["model"]))
    lines = []
    for said, models in who_says.items():
        everyone = len(models) > 2 and len(models) == comparison["model"].nunique()
        lines.append(f"{'Every representation' if everyone else _names(models)}: {escape(said)}.")
    return lines


def _parts(note: str) -> list[str]:
    return note.split("; ")


def _with_ranges(notes: list[str]) -> str:
    """Texts that differ in their numbers only, as one text: `4 to 73 points`."""
    columns = zip(*(re.findall(NUMBER, note) for note in notes), strict=True)
    ranges = []
    for column in columns:
        low, high = min(column, key=float), max(column, key=float)
        ranges.append(low if low == high else f"{low} to {high}")
    given = iter(ranges)
    return re.sub(NUMBER, lambda _: next(given), notes[0])


def _files(run: str, inputs: Inputs) -> str:
    files = [
        ("tables/comparison.csv", "every model, task, level and view (also `.md`, `.tex`)"),
        ("figures/comparison.svg", "the comparison with intervals and chance"),
        ("figures/map/overview-language.svg", "all maps (also `-genre`, and one per model)"),
        ("figures/confusion/", "clusters against labels, per model"),
        ("tables/disentanglement.md", "whether latent dimensions stand for single factors"),
        ("tables/fates.csv", "what became of every input file, and why"),
        ("corpus/", "tracks, labels, windows, rejects and warnings, as parquet"),
        ("latents/", "the vectors that were clustered, as parquet"),
        ("scores/", "every score behind the table, as parquet"),
    ]
    if not _folds(inputs.tracks):
        files[4:4] = [
            ("tables/consensus.md", "consensus clusterings and suggested numbers of clusters"),
            ("tables/cluster_quality.csv", "each cluster judged by itself"),
            ("tables/names.md", "what the clusters of every representation are called, and why"),
        ]
    if inputs.trainings:
        files[4:4] = [
            ("tables/training.csv", "epochs, losses, active units, time and memory of training"),
            ("tables/latent_units.csv", "KL and variance of every latent unit"),
            ("figures/training.svg", "training curves"),
            ("figures/reconstruction/", "an original beside its reconstruction, per model"),
        ]
    if inputs.trainings or inputs.pretrained:
        told = "numbers of parameters, and what pretrained weights were trained on"
        files.insert(4, ("tables/architectures.csv", told))
    return f"Below `results/{run}/`:\n\n" + _bullets([f"`{path}`: {what}" for path, what in files])


def _trained(inputs: Inputs) -> list[str]:
    """Models of which at least one training gave weights."""
    made = (item for item in inputs.trainings if not item.get("note"))
    return list(dict.fromkeys(str(item["model"]) for item in made))


def _untrained(inputs: Inputs) -> dict[str, str]:
    """The other models that were to be trained, and why they were not."""
    trained = _trained(inputs)
    return {
        str(item["model"]): str(item["note"]).removeprefix("not trained: ").rstrip(".")
        for item in inputs.trainings
        if item["model"] not in trained
    }


def _untrained_controls(inputs: Inputs) -> pd.DataFrame:
    """Rows of the comparison of untrained controls, with the column `control_of`."""
    of = {
        str(item["model"]): str(item["control_of"])
        for item in inputs.trainings
        if item.get("control") == UNTRAINED
    }
    rows = inputs.comparison[inputs.comparison["model"].isin(of)]
    return rows.assign(control_of=rows["model"].map(of))


def _without_controls(inputs: Inputs) -> tuple[Inputs, list[str]]:
    """Controls do not compete: what is left without them, and a sentence that names them."""
    of = {str(item["model"]): item for item in inputs.trainings if item.get("control")}
    if not of:
        return inputs, []
    named = [
        f"`{name}` (`{item['control_of']}`, {DESCRIPTIONS[item['control']]}"
        f"{'; see `tables/leakage.md`' if item['control'] == 'random_windows' else ''})"
        for name, item in of.items()
    ]
    left = replace(
        inputs,
        comparison=inputs.comparison[~inputs.comparison["model"].isin(of)],
        trainings=[item for item in inputs.trainings if item["model"] not in of],
    )
    return left, [
        f"{_count(len(of), 'control')} besides, which do not compete: {', '.join(named)}."
    ]


def _sd(row: pd.Series) -> float:
    return 0.0 if pd.isna(row["nmi_sd"]) else float(row["nmi_sd"])


def _pm(row: pd.Series) -> str:
    spread = "" if pd.isna(row["nmi_sd"]) else f" ± {row['nmi_sd']:.2f}"
    return f"{row['nmi_mean']:.2f}{spread}"


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _count(n: int, thing: str) -> str:
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def _tally(values: pd.Series) -> str:
    """Values by falling count, in words: `en 20, es 12, unknown 3`."""
    counts = values.value_counts()
    ordered = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
    words = [f"{escape(name)} {count}" for name, count in ordered[:MAX_LISTED]]
    if len(ordered) > MAX_LISTED:
        rest = sum(count for _, count in ordered[MAX_LISTED:])
        words.append(f"{len(ordered) - MAX_LISTED} more with {rest}")
    if values.isna().any():
        words.append(f"unknown {int(values.isna().sum())}")
    return ", ".join(words) or "none"


def _reasons(problems: pd.DataFrame) -> str:
    if problems.empty:
        return "none"
    return f"{len(problems)} ({_tally(problems['reason'])})"
