"""The whole folder: the page's files, its data, spectrograms and sound."""

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from songatlas import tables
from songatlas.clustering.views import of_view
from songatlas.files import PROJECT
from songatlas.report.explorer import audio, cards, scripts
from songatlas.report.explorer.attributes import (
    descriptor_attributes,
    label_attributes,
    tag_attributes,
)
from songatlas.report.explorer.catalogue import Catalogue, described, read_catalogue, texts
from songatlas.report.explorer.decoded import write_decoded
from songatlas.report.explorer.model_data import Settings, model_data
from songatlas.report.explorer.musical_time import write_musical_time
from songatlas.report.explorer.scripts import packed
from songatlas.report.explorer.spectrograms import write_spectrograms
from songatlas.run.jobs import progress
from songatlas.words.descriptor_words import known_descriptors
from songatlas.words.language_names import language_name
from songatlas.words.meaning import Vocabulary, read_vocabulary
from songatlas.words.measures import NO_PLAIN_WORD, Measure, Measured, tag_measures, together
from songatlas.words.tags import NO_TAGS, SongTags, song_tags
from songatlas.words.words import count_words
from songatlas.words.write import NAMED

SONGS_PER_FILE = 500


def lyrics_of_songs(found: Catalogue, lines: pd.DataFrame) -> list[list[list[Any]]]:
    """Per song its lines as [start_s, end_s, text]; times are None where nothing timed them."""
    rows = found.song_rows(lines["track_id"])
    timed: dict[int, list[list[Any]]] = {}
    ordered = lines.assign(song=rows).sort_values(["song", "start_s"], kind="stable")
    for song, start, end, text in zip(
        ordered["song"], ordered["start_s"], ordered["end_s"], ordered["text"], strict=True
    ):
        timed.setdefault(int(song), []).append([round(start, 2), round(end, 2), text])
    listed = []
    for song, text in enumerate(found.songs["lyrics"]):
        if song in timed:
            listed.append(timed[song])
        elif isinstance(text, str):
            listed.append([[None, None, line] for line in text.splitlines() if line.strip()])
        else:
            listed.append([])
    return listed


def chunks(listed: list[list[list[Any]]]) -> list[list[list[list[Any]]]]:
    """The same in parts of `SONGS_PER_FILE` songs, each a file that the page loads on demand."""
    return [listed[at : at + SONGS_PER_FILE] for at in range(0, len(listed), SONGS_PER_FILE)]


COLUMNS = (
    ("nmi_mean", "NMI"),
    ("chance_nmi", "Chance NMI"),
    ("ami_mean", "AMI"),
    ("ari_mean", "ARI"),
    ("purity_mean", "Purity"),
    ("silhouette_mean", "Silhouette"),
    ("best_nmi", "Best NMI"),
    ("best_chance_nmi", "Best by chance"),
)


def comparison(path: str | Path) -> dict[str, Any]:
    """Column labels, and rows of model, task, level, supervision and values (None: not known).

    Of models of two modalities the row of both together, as everywhere on the page.
    """
    frame = of_view(pd.read_csv(path, keep_default_na=False, na_values=[""]))
    rows = []
    for record in frame.to_dict("records"):
        rows.append(
            {
                "model": str(record["model"]),
                "task": str(record["task"]),
                "level": str(record["level"]),
                "supervision": str(record["supervision"]),
                "values": [
                    None if pd.isna(record[column]) else round(float(record[column]), 4)
                    for column, _ in COLUMNS
                ],
            }
        )
    return {"columns": [label for _, label in COLUMNS], "rows": rows}


BUNDLE = PROJECT / "resources" / "explorer" / "page"
"""The page itself, built from its folder with npm; Python users need no Node."""

MOST_CARD_CLASSES = 40
"""Labels with more values than this give no bars and no purity on cards."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """Paths of the run's tables; `latents` and `clusters` by model, features as lists of parts.

    `tags` are musicnn's vectors of songs, `voice` those of windows, `musical_time` what the view of
    the music shows, `named` the clusters that were named and `vocabulary` the
    run's words with those of near meaning, where the run has them.
    """

    tracks: str
    labels: str
    windows: str
    lines: str
    comparison: str
    projections: str
    latents: Mapping[str, str]
    clusters: Mapping[str, str]
    logmel: Sequence[str]
    descriptors: Sequence[str]
    tags: Sequence[str]
    named: str | None
    vocabulary: str | None
    near_copies: str | None = None
    musical_time: Sequence[str] = ()
    voice: Sequence[str] = ()
    sounds: Mapping[str, str] = field(default_factory=dict)
    """Folders of decoded sounds, by model."""
    not_decoded: Mapping[str, str] = field(default_factory=dict)
    """Why the other models have none, where some have."""


def write_page(
    inputs: Inputs, folder: str | Path, settings: Settings, *, run: str, corpus_name: str
) -> None:
    """Write the explorer of one run into `folder`, which is emptied first.

    Raises:
        TableError: when a table is missing or breaks its schema.
        SongatlasError: when latents hold NaN or infinity.
    """
    folder = Path(folder)
    if folder.exists():
        shutil.rmtree(folder)
    shutil.copytree(BUNDLE, folder)
    found = read_catalogue(inputs.tracks, inputs.labels, inputs.windows, inputs.near_copies)
    lines = lyrics_of_songs(found, tables.read(inputs.lines, tables.LINES))
    attributes, sound, every = _attributes(inputs, found)
    scripts.write(folder / "data/descriptors.js", "descriptors", packed(every.values))
    of_songs = song_tags(inputs.tags) if inputs.tags else NO_TAGS
    attributes += tag_attributes(list(found.songs["track_id"]), of_songs)
    musical = write_musical_time(inputs.musical_time, inputs.voice, lines, found, folder)
    attributes += musical.attributes
    items = card_items(found, measured(found, sound, every.names, of_songs))
    named = tables.read(inputs.named, NAMED) if inputs.named else tables.empty(NAMED)
    words = read_vocabulary(inputs.vocabulary) if inputs.vocabulary else Vocabulary()
    scripts.write(folder / "data/words.js", "words", words.described())
    # The page opens with the first where no label judges: what was not trained stands last.
    names = sorted(
        inputs.latents, key=lambda name: pq.read_metadata(inputs.latents[name]).num_rows < 1
    )
    summaries = []
    for number, name in enumerate(progress(names, "explorer", "model")):
        made = model_data(
            inputs.latents[name],
            inputs.clusters[name],
            inputs.projections,
            named,
            found,
            items,
            settings,
        )
        summaries.append(made.summary)
        scripts.write(folder / f"data/model-{number}.js", f"model-{number}", made.data)
        scripts.write(folder / f"data/cards-{number}.js", f"cards-{number}", made.cards)
        scripts.write(folder / f"data/vectors-{number}.js", f"vectors-{number}", made.vectors)
    for number, part in enumerate(chunks(lines)):
        scripts.write(folder / f"data/lyrics-{number}.js", f"lyrics-{number}", part)
    run_data = {
        "run": run,
        "corpus": corpus_name,
        **described(found),
        "attributes": attributes,
        "descriptors": list(every.names),
        "card_classes": [
            {"key": item.key, "names": list(item.names)} for item in items["song"].classes
        ],
        "models": summaries,
        "comparison": comparison(inputs.comparison),
        "songs_per_lyrics_file": SONGS_PER_FILE,
        "has_lyrics": packed(np.array([len(song) > 0 for song in lines], np.uint8)),
        "has_spectrogram": packed(write_spectrograms(inputs.logmel, found, folder)),
        "audio": _audio(found, folder, settings),
        "musical_time": musical.summary,
        "decoded": write_decoded(names, inputs.sounds, inputs.not_decoded, found, folder),
    }
    scripts.write(folder / "data/run.js", "run", run_data)


@dataclass(frozen=True)
class _Descriptors:
    """Every descriptor of every window: `values` (windows, d) float32, NaN where unknown."""

    names: tuple[str, ...]
    values: np.ndarray


def _attributes(
    inputs: Inputs, found: Catalogue
) -> tuple[list[dict[str, Any]], Mapping[str, np.ndarray], _Descriptors]:
    """What colours points, the plain descriptors of windows and songs (n, D), and all of them."""
    listed = label_attributes(found)
    for attribute in listed:
        if attribute["key"] == "language":
            attribute["names"] = [language_name(code) for code in attribute["names"]]
    n_windows, n_songs = len(found.windows), len(found.songs)
    if not inputs.descriptors:
        sound = {"window": np.zeros((n_windows, 0)), "song": np.zeros((n_songs, 0))}
        return listed, sound, _Descriptors((), np.zeros((n_windows, 0), np.float32))
    ids, values = tables.read_feature(inputs.descriptors)
    names = tables.read_metadata(inputs.descriptors[0])["names"]
    measured, of_window, of_song = descriptor_attributes(found, ids, values, names)
    every = np.full((n_windows, len(names)), np.nan, np.float32)
    rows = found.window_rows(ids)
    every[rows[rows >= 0]] = values[rows >= 0]
    sound = {"window": of_window, "song": of_song}
    return [*listed, *measured], sound, _Descriptors(tuple(names), every)


def measured(
    found: Catalogue, sound: Mapping[str, np.ndarray], names: Sequence[str], tags: SongTags
) -> dict[str, Measured]:
    """Plain descriptors and tags of all windows and all songs; a window has its song's tags.

    `sound` has descriptors of shape (n, D) by level; `names` are all entries of the feature.
    """
    known = known_descriptors(names)
    plain = [i for i, one in enumerate(known) if one.entry != NO_PLAIN_WORD]
    measures = tuple(Measure("sound", known[i].label, known[i].high, known[i].low) for i in plain)
    of_songs = tag_measures(tags, list(found.songs["track_id"]))
    of_level = {"window": of_songs.rows(found.windows["song"].to_numpy()), "song": of_songs}
    return {
        level: together([Measured(measures, sound[level][:, plain].astype(np.float64)), own])
        for level, own in of_level.items()
    }


def card_items(found: Catalogue, of_level: Mapping[str, Measured]) -> dict[str, cards.Items]:
    """What cards are made of, of all windows and all songs of the catalogue, by level."""
    song_of = {
        "window": found.windows["song"].to_numpy(),
        "song": np.arange(len(found.songs)),
    }
    lyrics = {"window": found.windows["lyrics"], "song": found.songs["lyrics"]}
    codes = texts(found.songs["language"])
    listed = {}
    for level, song in song_of.items():
        counts = count_words(texts(lyrics[level]), [codes[row] for row in song])
        listed[level] = cards.Items(
            songs=song,
            classes=_classes(found, song),
            measured=of_level[level],
            words={language_name(code): of for code, of in counts.items()},
        )
    return listed


def _classes(found: Catalogue, song: np.ndarray) -> tuple[cards.Classes, ...]:
    listed = []
    for key in ("language", "genre"):
        values = texts(found.songs[key])
        names = sorted({value for value in values if value is not None})
        if not 1 <= len(names) <= MOST_CARD_CLASSES:
            continue
        of_song = np.array([-1 if value is None else names.index(value) for value in values])
        shown = map(language_name, names) if key == "language" else names
        listed.append(cards.Classes(key, tuple(shown), of_song[song]))
    return tuple(listed)


def _audio(found: Catalogue, folder: Path, settings: Settings) -> dict[str, Any]:
    """Links to the user's files by song, and which windows have a preview beside the page."""
    songs, windows = found.songs, found.windows
    paths = texts(songs["audio_path"])
    previews = np.zeros(len(windows), np.uint8)
    withheld = 0
    if settings.explorer.previews:
        by_song = windows.groupby("song")
        for song, path in enumerate(progress(paths, "previews")):
            if path is None or song not in by_song.groups:
                continue
            license_text = texts(songs["license"].iloc[[song]])[0]
            forbidden = audio.forbids_derivatives(license_text)
            if forbidden and not settings.explorer.previews_despite_licence:
                withheld += 1
                continue
            rows = by_song.get_group(song)
            wanted = audio.Windows(tuple(rows.index), tuple(rows["start_s"]))
            length_s = min(
                settings.explorer.preview_s, float((rows["end_s"] - rows["start_s"]).max())
            )
            try:
                previews[list(audio.write_previews(path, wanted, length_s, folder))] = 1
            except audio.AudioError as error:
                logger.warning("no preview: %s", error)
    return {
        "link": [audio.link(path, folder) for path in paths],
        "preview": packed(previews),
        "withheld": withheld,
    }
