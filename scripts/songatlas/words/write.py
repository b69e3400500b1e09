"""The tables of names and of captions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from songatlas import tables
from songatlas.clustering.levels import points_of
from songatlas.clustering.views import blocks_of, even
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.config.features import Pretrained
from songatlas.config.words import Names
from songatlas.errors import TableError
from songatlas.evaluation import layout
from songatlas.evaluation.consensus import consensus_at
from songatlas.features.audio.descriptors import PITCHES
from songatlas.features.vectors.reduction import reduce_width
from songatlas.words.describe import UNSURE, Description, Difference, describe, differences
from songatlas.words.descriptor_words import DESCRIPTORS
from songatlas.words.joint import songs_of_encoder
from songatlas.words.language_names import language_name
from songatlas.words.measures import (
    NO_PLAIN_WORD,
    Measured,
    descriptor_measures,
    language_measures,
    similarity_measures,
    tag_measures,
    together,
    word_measures,
)
from songatlas.words.scores import unit
from songatlas.words.tags import song_tags, top_tags
from songatlas.words.vocabulary import Tag, tags
from songatlas.words.words import count_words, distinctive

SIGNS = dict(
    zip(PITCHES, ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"), strict=True)
)
"""Pitches as musicians write them, by their names among the descriptors."""


def descriptor_values(parts: Sequence[str | Path], windows: pd.DataFrame) -> pd.DataFrame:
    """Means of every descriptor over the windows of each song; index: track_id, sorted.

    Args:
        parts: the feature `descriptors`.
        windows: `window_id, track_id`.
    """
    names = tables.read_metadata(parts[0])["names"]
    track_of = dict(zip(windows["window_id"], windows["track_id"], strict=True))
    blocks = [
        pd.DataFrame(
            np.asarray(block).reshape(len(ids), -1),
            index=[track_of[window_id] for window_id in ids],
            columns=names,
        )
        for ids, block in tables.iter_feature(parts)
    ]
    if not blocks:
        return pd.DataFrame(columns=names)
    return pd.concat(blocks).groupby(level=0).mean()


def tagged(
    parts: Sequence[str | Path],
    windows: pd.DataFrame,
    tags: Sequence[Tag],
    encoder: str,
    settings: Pretrained,
) -> tuple[list[str], np.ndarray]:
    """Songs, and their similarity to every tag, (n, T).

    A tag is the mean of its prompts' unit vectors (Radford et al. 2021).

    Raises:
        SongatlasError: as `load_joint_encoder`.
    """
    from songatlas.features.encoders.load import load_joint_encoder

    joint = load_joint_encoder(encoder, settings)
    vectors = unit(np.stack([unit(joint.embed_text(tag.prompts)).mean(axis=0) for tag in tags]))
    songs, audio = songs_of_encoder(parts, windows, vectors.shape[1])
    return songs, audio @ vectors.T


def key_of(row: pd.Series) -> str | None:
    """`G major`: the key whose profile correlates most with the song; None where unknown."""
    names = [f"key_{pitch}_{mode}" for mode in ("major", "minor") for pitch in PITCHES]
    known = row.reindex(names).astype(float)
    if not np.isfinite(known).any():
        return None
    _, pitch, mode = str(known.idxmax()).split("_")
    return f"{SIGNS[pitch]} {mode}"


COLUMNS = ("model", "k", "cluster", "songs", "name", "evidence", "words")
CAPTION_COLUMNS = ("track_id", "title", "caption")

NAMED = tables.Table(
    "named",
    {
        "model": tables.TEXT,
        "k": tables.I32,
        "cluster": tables.I32,
        "track_id": tables.TEXT,
        "name": tables.TEXT,
    },
    key=("model", "track_id"),
)
"""The songs of every model's clusters at its suggested k, and what each cluster is called."""

WORDS = 4
"""Of a cluster in one language, and of a song."""

CAPTION_TAGS = 3

EXTREME = 0.25
"""A song among so many with the most (or least) of something is called by the word for it."""


def name_clusters(
    groups: "Groups",
    of: Measured,
    before: pd.DataFrame,
    settings: Names,
    clustering: Clustering,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `NAMED`, and a row with `COLUMNS` but for `words` for every cluster.

    Args:
        groups: of n songs.
        of: measures of these songs.
        before: rows of `NAMED` of the run before, of this model.
    """
    apart = differences(of, groups.labels)
    now = pd.DataFrame({"track_id": groups.track_ids, "cluster": groups.labels})
    names = [one.name for one in _described(groups, of, settings, clustering, seed)]
    for cluster, name in kept_names(before, now, apart).items():
        names[cluster] = name
    members = now.assign(
        model=groups.model, k=groups.k, name=[names[label] for label in groups.labels]
    )
    evidence = [
        "; ".join(map(_evidence, evidence_of(name, own)))
        for own, name in zip(apart, names, strict=True)
    ]
    clusters = pd.DataFrame(
        {
            "model": groups.model,
            "k": groups.k,
            "cluster": np.arange(groups.k),
            "songs": np.bincount(groups.labels),
            "name": names,
            "evidence": evidence,
        }
    )
    return members, clusters


def _described(
    groups: "Groups",
    of: Measured,
    settings: Names,
    clustering: Clustering,
    seed: int,
) -> list[Description]:
    """What the clusters are called today, whatever they were called before."""
    quick = clustering.model_copy(update={"n_init": 1})
    reduced = reduce_width(groups.z, clustering.max_dim, clustering.pca_dim, seed).z

    def clusterer(points: np.ndarray) -> np.ndarray | None:
        return consensus_at([points], groups.k, quick, seed).labels

    return describe(reduced, of, groups.labels, clusterer, words=settings.words, seed=seed)


def kept_names(
    earlier: pd.DataFrame, now: pd.DataFrame, current: Sequence[Sequence[Difference]]
) -> dict[int, str]:
    """The earlier names of clusters that are still the same groups, by cluster of today.

    A group is the same where the songs that both have are more than half of all that either has. It
    keeps its name while all words of it still set it apart.

    Args:
        earlier: rows of `NAMED` of one model.
        now: `track_id, cluster` of today.
        current: every cluster's differences of today.
    """
    before = {name: set(rows["track_id"]) for name, rows in earlier.groupby(["cluster", "name"])}
    kept = {}
    for cluster, rows in now.groupby("cluster"):
        songs = set(rows["track_id"])
        apart = {str(one.word) for one in current[int(str(cluster))]}
        for (_, name), others in before.items():
            same = 2 * len(songs & others) > len(songs | others)
            if same and name != UNSURE and set(parts_of(str(name))) <= apart:
                kept[int(str(cluster))] = str(name)
    return kept


def parts_of(name: str) -> list[str]:
    """The words that a name is made of."""
    return name.replace(" · ", ", ").split(", ")


def evidence_of(name: str, apart: Sequence[Difference]) -> list[Difference]:
    """The largest difference behind each word of a name."""
    first = {str(one.word): one for one in reversed(apart)}
    return [first[word] for word in parts_of(name) if word in first]


def read_earlier(path: str | Path) -> pd.DataFrame:
    """Names of the run before; none where there was none, or where its table cannot be read."""
    try:
        return tables.read(path, NAMED)
    except TableError:
        return tables.empty(NAMED)


def measures_of(
    source: Mapping[str, Any],
    settings: Names,
    encoder: str | None,
    pretrained: Pretrained | None,
) -> tuple[pd.DataFrame, Measured]:
    """Every song, with `track_id, lyrics, language`, and all its measures, in order of its id.

    Args:
        source: as for `write_names`.

    Raises:
        SongatlasError: as `load_joint_encoder`.
    """
    texts, windows = read_texts(source), _windows(source)
    songs = list(texts["track_id"])
    lyrics, languages = _texts(texts["lyrics"]), _texts(texts["language"])
    parts = [language_measures(languages), word_measures(lyrics, languages)]
    if source.get("descriptors"):
        parts.append(descriptor_measures(descriptor_values(source["descriptors"], windows), songs))
    if encoder is not None:
        assert pretrained is not None
        vocabulary = tags(settings.prompt_languages)
        known, values = tagged(source["features"], windows, vocabulary, encoder, pretrained)
        parts.append(similarity_measures(known, [tag.name for tag in vocabulary], values, songs))
    elif source.get("tags"):
        parts.append(tag_measures(song_tags(source["tags"]), songs))
    return texts, together(parts)


def read_texts(source: Mapping[str, Any]) -> pd.DataFrame:
    """`track_id, lyrics, language` of every song, in order of its id."""
    tracks = tables.read(source["tracks"], tables.TRACKS, columns=["track_id", "lyrics"])
    classes = tables.read(source["classes"], tables.LABELS, columns=["track_id", "language"])
    both = tracks.merge(classes, on="track_id", how="left")
    return both.sort_values("track_id").reset_index(drop=True)


def _windows(source: Mapping[str, Any]) -> pd.DataFrame:
    return tables.read(source["windows"], tables.WINDOWS, columns=["window_id", "track_id"])


def _texts(values: pd.Series) -> list[str | None]:
    return [None if pd.isna(value) else str(value) for value in values]


def _evidence(one: Difference) -> str:
    return f"{one.measure.label} r " + f"{one.r:+.2f}".replace("-", "−")


def captions(
    descriptors: pd.DataFrame,
    likeliest: Mapping[str, Sequence[str]],
    titles: pd.DataFrame,
    texts: pd.DataFrame,
) -> pd.DataFrame:
    """A sentence on every song with audio, of what was measured alone: `CAPTION_COLUMNS`.

    Tags; tempo and key; what it has much or little of among all songs (the outer quarters); its
    language, and the words that it has more often than the other songs of that language.

    Args:
        descriptors: by track_id, a column an entry.
        likeliest: tags of songs, the likeliest first.
        titles: `track_id, title`.
        texts: `track_id, lyrics, language`.
    """
    said_apart = ("tempo_bpm", "key_mode", "key_clarity", NO_PLAIN_WORD)
    entries = [
        one for one in DESCRIPTORS if one.entry in descriptors and one.entry not in said_apart
    ]
    columns = descriptors[[one.entry for one in entries]]
    low, high = (columns.quantile(q) for q in (EXTREME, 1 - EXTREME))
    sung = texts.set_index("track_id").reindex(descriptors.index)
    counted = count_words(_texts(sung["lyrics"]), _texts(sung["language"]))
    words = distinctive(counted, np.arange(len(descriptors)), top=WORDS)
    named = titles.set_index("track_id").reindex(descriptors.index)
    rows = []
    for i, (track, row) in enumerate(descriptors.iterrows()):
        parts = list(likeliest.get(str(track), ()))[:CAPTION_TAGS]
        if np.isfinite(row["tempo_bpm"]):
            parts.append(f"{row['tempo_bpm']:.0f} BPM")
        key = key_of(row)
        if key:
            parts.append(key)
        for one in entries:
            if low[one.entry] == high[one.entry]:
                continue
            if row[one.entry] >= high[one.entry]:
                parts.append(one.high)
            elif row[one.entry] <= low[one.entry]:
                parts.append(one.low)
        language = sung["language"].iloc[i]
        if not pd.isna(language) and not pd.isna(sung["lyrics"].iloc[i]):
            parts.append(f"sung in {language_name(str(language))}")
        own = [word for several in words[i].values() for word in several]
        if own:
            parts.append(f"words: {', '.join(own)}")
        title = named["title"].iloc[i]
        rows.append((track, None if pd.isna(title) else title, f"{', '.join(parts)}."))
    return pd.DataFrame(rows, columns=list(CAPTION_COLUMNS))


NOTES = (
    "Clusters of songs at the suggested k, named by what sets them apart: language, tags, words of "
    "lyrics, sound. No genre label takes part. A word stands where its correlation r with being in "
    "the cluster is larger than the largest that the same clustering finds in 95% of 39 "
    f"structureless draws of the same mean and covariance; “{UNSURE}” where none is. A group that "
    "stays from one run to the next keeps its name while its words still hold. words: what its "
    "lyrics have more often than others of the same language."
)


@dataclass(frozen=True)
class Groups:
    """One model's clusters at its suggested k, which was found in `z` (n, d): `labels` (n,)."""

    model: str
    track_ids: tuple[str, ...]
    z: np.ndarray
    labels: np.ndarray

    @property
    def k(self) -> int:
        return int(self.labels.max()) + 1


def read_groups(
    model: str, latents: str | Path, consensus: str | Path, choice: str | Path, evaluate_on: str
) -> Groups | None:
    """A model's consensus clustering at the suggested k; None where none is suggested."""
    k = suggested(tables.read(choice, tables.CHOICE))
    partition = tables.read(consensus, tables.CONSENSUS)
    partition = partition[partition["k"] == k].sort_values("track_id")
    if k is None or partition.empty:
        return None
    blocks = blocks_of(tables.read_metadata(latents))
    points = even(points_of(tables.read(latents, tables.LATENTS), "song", evaluate_on), blocks)
    labels = partition["label"].to_numpy(np.int64)
    return Groups(model, points.track_ids, points.z, labels)


def write_names(
    source: Mapping[str, Any],
    models: Sequence[str],
    outputs: Mapping[str, str],
    *,
    settings: Names,
    clustering: Clustering,
    evaluation: Evaluation,
    encoder: str | None,
    pretrained: Pretrained | None,
) -> str:
    """Write the tables; a line that says how many clusters have a name.

    Args:
        source: paths of `latents` (of the first seed), `consensus` and `choice` of every model, of
            `windows`, `classes` and `tracks`; of `descriptors`, `tags` (musicnn's vectors of songs)
            and `features` (of the joint encoder) where the run has them.
        outputs: `csv`, `md`, and `named`, which is read before it is written: names stay.

    Raises:
        SongatlasError: as `load_joint_encoder`.
    """
    from threadpoolctl import threadpool_limits

    texts, of = measures_of(source, settings, encoder, pretrained)
    counted = count_words(_texts(texts["lyrics"]), _texts(texts["language"]))
    earlier = read_earlier(outputs["named"])
    named, rows = [tables.empty(NAMED)], []
    without_clusters = []
    each = zip(models, source["latents"], source["consensus"], source["choice"], strict=True)
    for files in each:
        groups = read_groups(*files, evaluation.evaluate_on)
        if groups is None:
            without_clusters.append(files[0])
            continue
        at = pd.Index(texts["track_id"]).get_indexer(pd.Index(groups.track_ids))
        before = earlier[earlier["model"] == groups.model]
        with threadpool_limits(1):
            members, clusters = name_clusters(
                groups, of.rows(at), before, settings, clustering, evaluation.seed
            )
        everywhere = np.full(len(texts), -1)
        everywhere[at] = groups.labels
        words = map(_by_language, distinctive(counted, everywhere, top=WORDS))
        named.append(members)
        rows.append(clusters.assign(words=list(words)))
    frame = pd.concat(rows) if rows else pd.DataFrame(columns=list(COLUMNS))
    layout.write_csv(frame, outputs["csv"])
    notes = [NOTES]
    if without_clusters:
        notes.append(f"No clusters are suggested for: {', '.join(without_clusters)}.")
    layout.write_text(layout.markdown(frame, "Names of clusters", notes=notes), outputs["md"])
    tables.write(pd.concat(named), outputs["named"], NAMED)
    sure = int((frame["name"] != UNSURE).sum())
    return f"{sure} of {len(frame)} clusters have a name: {outputs['md']}"


def _by_language(words: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{language}: {', '.join(several)}" for language, several in words.items())


def suggested(choice: pd.DataFrame) -> int | None:
    """The k that all criteria together suggest; None where none can be."""
    chosen = choice[(choice["criterion"] == "joint") & choice["chosen"]]["k"].dropna()
    return None if chosen.empty else int(chosen.iloc[0])


def write_captions(source: Mapping[str, Any], csv: str | Path) -> str:
    """Write a sentence on every song with audio; a line that says how many.

    Args:
        source: paths of `descriptors`, `windows`, `titles`, `classes`, `tracks`; of `tags` where
            the run has them.
    """
    titles = tables.read(source["titles"], tables.LABELS, columns=["track_id", "title"])
    likeliest: dict[str, list[str]] = {}
    if source.get("tags"):
        top = top_tags(song_tags(source["tags"]).shown(), CAPTION_TAGS)
        likeliest = {str(track): list(rows) for track, rows in top.groupby("track_id")["tag"]}
    descriptors = descriptor_values(source["descriptors"], _windows(source))
    frame = captions(descriptors, likeliest, titles, read_texts(source))
    layout.write_csv(frame, csv)
    return f"{len(frame)} captions: {csv}"
