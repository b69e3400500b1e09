"""The study's tables about the corpus: composition and splits."""

import unicodedata

import pandas as pd

from songatlas.corpus.folds import PREFIX
from songatlas.evaluation.layout import Sheet
from songatlas.report.study.published import Published
from songatlas.report.study.versus import for_readers, versus

DIFFERENT = "different corpus"
SAME = "same composition"
SAME_SONGS = "same composition, other number of windows"

EXPLAINED = (
    "The study's audio is not public and it published no hash of a song: a corpus of the same "
    "composition (songs per language and genre) with as many windows is taken for its own."
)


def corpus_kind(dataset: pd.DataFrame, published: Published) -> str:
    """`DIFFERENT` unless every cell holds as many songs as the study's, and there is no other cell.

    Args:
        dataset: what `dataset_table` returns.
        published: the study's tables.
    """
    cells = dataset[dataset["language"] != ALL]
    if published.dataset.empty or _cells(cells) != _cells(published.dataset):
        return DIFFERENT
    windows = published.splits["windows"].sum()
    return SAME if int(cells["windows"].sum()) == int(windows) else SAME_SONGS


def _cells(frame: pd.DataFrame) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for language, genre, songs in zip(
        frame["language"], frame["genre"], frame["songs"], strict=True
    ):
        key = (_plain(language), _plain(genre))
        found[key] = found.get(key, 0) + int(songs)
    return found


def _plain(name: object) -> str:
    """`Hip-Hop`, `hip hop` and `hiphop` are one genre."""
    folded = unicodedata.normalize("NFKD", str(name)).casefold()
    return "".join(letter for letter in folded if letter.isalnum())


UNKNOWN = "unknown"
ALL = "all"
COLUMNS = ("language", "genre", "songs", "windows", "hours", "artists", "with_audio", "with_lyrics")
SPLIT_COLUMNS = ("split", "songs", "windows", "with_audio", "artists", "artists_shared")


def dataset_table(
    tracks: pd.DataFrame, labels: pd.DataFrame, windows: pd.DataFrame
) -> pd.DataFrame:
    """`COLUMNS` per language and genre, by name, then the total (`all`).

    `hours` are of audio; `artists` counts names, songs without one not at all; what a song lacks is
    `unknown`.

    Args:
        tracks, labels, windows: rows of the corpus tables.
    """
    songs = _songs(tracks, labels, windows)
    groups = sorted(songs.groupby(["language", "genre"]), key=lambda group: group[0])
    rows = [(*key, *_counts(group)) for key, group in groups]
    return pd.DataFrame([*rows, (ALL, ALL, *_counts(songs))], columns=list(COLUMNS))


def splits_table(tracks: pd.DataFrame, labels: pd.DataFrame, windows: pd.DataFrame) -> pd.DataFrame:
    """`SPLIT_COLUMNS` per split (or fold), then the total.

    `artists_shared` are artists with songs in another split too; null where no artist is known.
    """
    songs = _songs(tracks, labels, windows)
    rows = []
    for split in sorted(songs["split"].unique(), key=_split_order):
        mine, others = songs[songs["split"] == split], songs[songs["split"] != split]
        rows.append((split, *_split_counts(mine, others)))
    several = songs.groupby("artist")["split"].nunique()
    shared = int((several > 1).sum()) if songs["artist"].notna().any() else None
    total = (ALL, *_split_counts(songs, songs[:0])[:-1], shared)
    frame = pd.DataFrame([*rows, total], columns=list(SPLIT_COLUMNS))
    return frame.astype({"artists_shared": "Int64"})


def _songs(tracks: pd.DataFrame, labels: pd.DataFrame, windows: pd.DataFrame) -> pd.DataFrame:
    described = labels[["track_id", "language", "genre", "artist"]]
    songs = tracks.merge(described, on="track_id", how="left")
    count = windows.groupby("track_id").size()
    return songs.assign(
        windows=songs["track_id"].map(count).fillna(0).astype(int),
        language=_named(songs["language"]),
        genre=_named(songs["genre"]),
        artist=songs["artist"].where(songs["artist"] != ""),
        has_audio=songs["audio_path"].notna(),
        has_lyrics=songs["lyrics"].notna() & (songs["lyrics"] != ""),
    )


def _named(column: pd.Series) -> pd.Series:
    return column.astype(object).where(column.notna() & (column != ""), UNKNOWN)


def _counts(songs: pd.DataFrame) -> tuple[int, int, float, int, int, int]:
    heard = songs[songs["has_audio"]]
    return (
        len(songs),
        int(songs["windows"].sum()),
        float(heard["duration_s"].sum()) / 3600.0,
        int(songs["artist"].nunique()),
        len(heard),
        int(songs["has_lyrics"].sum()),
    )


def _split_counts(
    songs: pd.DataFrame, others: pd.DataFrame
) -> tuple[int, int, int, int, int | None]:
    names = set(songs["artist"].dropna())
    shared = len(names & set(others["artist"].dropna())) if names else None
    heard = int(songs["has_audio"].sum())
    return len(songs), int(songs["windows"].sum()), heard, len(names), shared


def _split_order(split: str) -> tuple[int, str]:
    fixed = {"train": 0, "validation": 1, "test": 2}
    if split.startswith(PREFIX):
        return 3 + int(split.removeprefix(PREFIX)), ""
    return fixed[split], ""


def corpus_sheets(
    tracks: pd.DataFrame,
    labels: pd.DataFrame,
    windows: pd.DataFrame,
    published: Published,
    corpus_name: str,
) -> list[Sheet]:
    """`paper_dataset`, `paper_splits`, and each beside the study's.

    Args:
        tracks, labels, windows: rows of the corpus tables.
        published: the study's tables.
        corpus_name: stands in the headings.
    """
    dataset = dataset_table(tracks, labels, windows)
    splits = splits_table(tracks, labels, windows)
    kind = corpus_kind(dataset, published)
    cells = published.dataset
    if len(cells):
        total = {"language": ALL, "genre": ALL, "songs": cells["songs"].sum()}
        cells = pd.concat([cells, pd.DataFrame([total])], ignore_index=True)
    cells_beside = versus(cells, dataset, keys=["language", "genre"], values=["songs"], corpus=kind)
    splits_beside = versus(
        published.splits, splits, keys=["split"], values=["songs", "windows"], corpus=kind
    )
    return [
        Sheet(
            "paper_dataset",
            dataset,
            f"Composition: {corpus_name}",
            ["Hours are of audio. Artists: different names; songs without one are not counted."],
            digits=2,
        ),
        Sheet(
            "paper_dataset_vs_published",
            cells_beside,
            f"Composition beside the study's: {corpus_name}",
            [EXPLAINED],
            shown=for_readers(cells_beside),
        ),
        Sheet(
            "paper_splits",
            splits,
            f"Splits: {corpus_name}",
            ["artists_shared: artists who have songs in another split too."],
        ),
        Sheet(
            "paper_splits_vs_published",
            splits_beside,
            f"Splits beside the study's: {corpus_name}",
            shown=for_readers(splits_beside),
        ),
    ]
