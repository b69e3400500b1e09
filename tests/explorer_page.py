"""A small explorer on disk, made from tables by the same code as a run's: 8 songs, 24 windows."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from songatlas import tables
from songatlas.config.report import Explorer, Figures
from songatlas.features.encoders.musicnn import VALUES, tags
from songatlas.latents.projection import PROJECTION
from songatlas.report.explorer.model_data import Settings
from songatlas.report.explorer.page import Inputs, write_page
from songatlas.words.meaning import VOCABULARY
from songatlas.words.write import NAMED

RATE = 16_000
LENGTH_S = 3.0
HOP_S = 2.0
EVIL = "<img src=x onerror=\"document.title='owned'\">"
ARABIC = "مباراة الأحد"

TITLES = ("Roof Song", ARABIC, EVIL, "Night, Train", "=SUM(A1)", "Élan\nvital", "Closed", None)
ARTISTS = ("Ned", "فرقة النحاس", "Ned", "Odessa", "Ned", "Odessa", "Ned", "Odessa")
LANGUAGES = ("en", "ar", "en", "en", "en", "fr", "en", None)
GENRES = ("rock", "rock", "pop", "pop", "rock", "pop", "rock", "pop")
LICENSES = (*["CC0-1.0"] * 6, "CC BY-NC-ND 3.0", None)
LYRICS = (
    "we climb up to the roof\nthe city glows tonight",
    "معطفان على الأرض صارا هدفا\nوالملعب نصفه طين",
    "<b>bold</b> river & moon",
    "a train is leaving in the night\nthe night is long",
    None,
    "la lune est belle",
    "closed doors of the city",
    None,
)
WINDOWS = 3
NAMES = ("unsure", "pop, <b>bold</b>")


def tracks() -> pd.DataFrame:
    n = len(TITLES)
    return pd.DataFrame(
        {
            "track_id": [f"{song:016x}" for song in range(n)],
            "source_id": [f"song-{song}" for song in range(n)],
            "audio_path": [None if song == 7 else f"song {song}.wav" for song in range(n)],
            "duration_s": [7.0] * n,
            "sample_rate_hz": pd.array([RATE] * n, "Int32"),
            "channels": pd.array([1] * n, "Int32"),
            "lyrics": list(LYRICS),
            "lyrics_source": ["timed" if song < 2 else "file" for song in range(n)],
            "split": ["train"] * n,
            "status": ["ok"] * n,
        }
    )


def labels() -> pd.DataFrame:
    n = len(TITLES)
    return pd.DataFrame(
        {
            "track_id": [f"{song:016x}" for song in range(n)],
            "title": list(TITLES),
            "artist": list(ARTISTS),
            "language": list(LANGUAGES),
            "genre": list(GENRES),
            "license": list(LICENSES),
            "source_url": [None] * n,
            "factor_tempo_bpm": np.linspace(80.5, 160.5, n),
            "factor_key": np.arange(n) % 3,
        }
    )


def windows() -> pd.DataFrame:
    rows = [
        {
            "window_id": f"{song:016x}-{index:04d}",
            "track_id": f"{song:016x}",
            "index": index,
            "start_s": index * HOP_S,
            "end_s": index * HOP_S + LENGTH_S,
            "split": "train",
            "padded": False,
            "lyrics": LYRICS[song],
        }
        for song in range(len(TITLES))
        for index in range(WINDOWS)
    ]
    return pd.DataFrame(rows)


def lines() -> pd.DataFrame:
    rows = [
        (f"{song:016x}", 1.5 * number, 1.5 * number + 1.5, text)
        for song in (0, 1)
        for number, text in enumerate((LYRICS[song] or "").splitlines())
    ]
    return pd.DataFrame(rows, columns=list(tables.LINES.columns))


def write_inputs(folder: Path) -> Inputs:
    """Every table that the rule reads, of two models, one of which has songs alone."""
    rng = np.random.default_rng(0)
    songs, cut = tracks(), windows()
    for song, name in enumerate(songs["audio_path"]):
        if pd.notna(name):
            time = np.arange(7 * RATE) / RATE
            soundfile.write(folder / name, 0.3 * np.sin(2 * np.pi * (200 + 40 * song) * time), RATE)
            songs.loc[song, "audio_path"] = str(folder / name)
    tables.write(songs, folder / "tracks.parquet", tables.TRACKS)
    tables.write(labels(), folder / "labels.parquet", tables.LABELS)
    tables.write(cut, folder / "windows.parquet", tables.WINDOWS)
    tables.write(lines(), folder / "lines.parquet", tables.LINES)
    genre = np.array([GENRES[int(track, 16)] == "pop" for track in cut["track_id"]])
    latents, clusters, drawn = {}, {}, []
    for name, levels in (("two_blocks", ("window", "song")), ("words", ("song",))):
        frames, found = [], []
        for level in levels:
            ids = cut if level == "window" else songs
            pop = genre if level == "window" else np.array([one == "pop" for one in GENRES])
            z = rng.normal(size=(len(ids), 6)) + 4.0 * pop[:, None] * np.array([1, 1, 1, 0, 0, 0])
            window_ids = list(cut["window_id"]) if level == "window" else None
            frames.append(
                tables.latents_frame(
                    level, window_ids, list(ids["track_id"]), ["train"] * len(ids), z
                )
            )
            for kind in (level, "song_vote") if level == "song" else (level,):
                found.append(
                    pd.DataFrame(
                        {
                            "level": kind,
                            "window_id": window_ids if level == "window" else [None] * len(ids),
                            "track_id": list(ids["track_id"]),
                            "algorithm": "kmeans",
                            "k": pd.array([2] * len(ids), "Int32"),
                            "label": pop.astype(np.int32),
                            "probability": np.nan,
                        }
                    ).astype({"window_id": object})
                )
        blocks = {"audio": [0, 3], "lyrics": [3, 6]} if name == "two_blocks" else {}
        saw = "elsewhere" if name == "words" else "none"
        info = {"model": name, "supervision": saw, "blocks": blocks, "note": ""}
        latents[name] = str(folder / f"{name}-latents.parquet")
        clusters[name] = str(folder / f"{name}-clusters.parquet")
        tables.write(pd.concat(frames, ignore_index=True), latents[name], tables.LATENTS, info)
        tables.write(pd.concat(found, ignore_index=True), clusters[name], tables.CLUSTERS, info)
        every = pd.concat(frames, ignore_index=True)
        drawn.append(  # both levels, so that no test waits for UMAP to be compiled
            every[["level", "window_id", "track_id"]].assign(
                model=name,
                x=np.float32([z[0] for z in every["z"]]),
                y=np.float32([z[1] for z in every["z"]]),
            )
        )
    tables.write(pd.concat(drawn, ignore_index=True), folder / "projections.parquet", PROJECTION)
    values = rng.normal(size=(len(cut), 3)).astype(np.float32)
    values[:, 0] += 3.0 * genre
    tables.write_feature(
        folder / "descriptors.parquet", "descriptors", list(cut["window_id"]), values,
        units="see names", metadata={"names": ["tempo_bpm", "other", "key_mode"]},
    )  # fmt: skip
    tables.write_feature(
        folder / "logmel.parquet", "logmel", list(cut["window_id"]),
        rng.uniform(-80, 0, (len(cut), 16, 50)).astype(np.float32), units="dB",
    )  # fmt: skip
    (folder / "comparison.csv").write_text(
        "model,task,level,supervision,nmi_mean,chance_nmi,ami_mean,ari_mean,purity_mean,"
        "silhouette_mean,best_nmi,best_chance_nmi\n"
        "two_blocks,genre,song,none,0.9,0.1,0.9,0.9,0.95,0.5,1.0,0.3\n"
        "words,genre,song,elsewhere,0.2,0.1,,0.1,0.6,0.1,0.4,0.3\n"
        "gone,genre,song,labels,0.5,0.1,0.4,0.3,0.6,0.1,0.4,0.3\n",
        encoding="utf-8",
    )
    path = {name: str(folder / f"{name}.parquet") for name in ("tracks", "labels", "windows")}
    return Inputs(
        **path,
        lines=str(folder / "lines.parquet"),
        comparison=str(folder / "comparison.csv"),
        projections=str(folder / "projections.parquet"),
        latents=latents,
        clusters=clusters,
        logmel=[str(folder / "logmel.parquet")],
        descriptors=[str(folder / "descriptors.parquet")],
        tags=[str(_write_tags(folder / "tags.parquet", songs))],
        named=str(_write_named(folder / "named.parquet", songs)),
        vocabulary=str(_write_vocabulary(folder / "vocabulary.parquet")),
    )


def _write_tags(path: Path, songs: pd.DataFrame) -> Path:
    """Tags of the songs that have audio: pop songs are pop, the others rock."""
    heard = [i for i, audio in enumerate(songs["audio_path"]) if pd.notna(audio)]
    values = np.full((len(heard), VALUES), 0.01, np.float32)
    for row, song in enumerate(heard):
        values[row, 400 + tags().index(GENRES[song])] = 0.8
    ids = [songs["track_id"][song] for song in heard]
    about = {"tags": tags(), "weights": "none"}
    tables.write_feature(path, "musicnn", ids, values, key="track_id", units="1", metadata=about)
    return path


def _write_named(path: Path, songs: pd.DataFrame) -> Path:
    """One model's clusters with names, one of them hostile."""
    pop = np.array([genre == "pop" for genre in GENRES])
    named = pd.DataFrame({"track_id": songs["track_id"], "cluster": pop.astype(int)})
    named = named.assign(model="two_blocks", k=2, name=np.where(pop, NAMES[1], NAMES[0]))
    tables.write(named, path, NAMED)
    return path


def _write_vocabulary(path: Path) -> Path:
    rows = {"word": ["moon", "lune", "roof"], "near": [["lune"], ["moon"], []]}
    tables.write(pd.DataFrame(rows), path, VOCABULARY)
    return path


def settings(**explorer: object) -> Settings:
    chosen = {"projections": ["umap", "pca"], "neighbours": 3, "previews": True, **explorer}
    return Settings(Explorer(**chosen), Figures(), seed=0)  # type: ignore[arg-type]


def write_small_page(folder: Path, **explorer: object) -> Path:
    """Write inputs and page under `folder`; the page's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / "report" / "explorer"
    write_page(write_inputs(folder), page, settings(**explorer), run="small", corpus_name="Tests")
    return page


def write_page_with_an_empty_model(folder: Path, model: str = "words") -> Path:
    """As `write_small_page`, but one model (the second) had nothing to train on."""
    folder.mkdir(parents=True, exist_ok=True)
    inputs = write_inputs(folder)
    info = {"model": model, "supervision": "none", "z_dim": 0, "note": "no song has lyrics"}
    for kind, path in ((tables.LATENTS, inputs.latents), (tables.CLUSTERS, inputs.clusters)):
        tables.write(tables.empty(kind), path[model], kind, info)
    page = folder / "report" / "explorer"
    write_page(inputs, page, settings(previews=False), run="small", corpus_name="Tests")
    return page
