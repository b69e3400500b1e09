"""Which songs train, which validate, which test. Songs are split, never windows.

Songs of one artist always share a split: otherwise a model is rewarded for knowing the artist.
"""

import hashlib
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from songatlas.corpus.folds import PREFIX
from songatlas.errors import SongatlasError

SPLITS = ("train", "validation", "test")
Stratum = tuple[bool, str, str]
"""Whether a song has audio, its language, its genre (empty where unknown)."""
NO_ARTIST = frozenset(
    ["", "-", "n/a", "none", "unknown", "unknown artist", "[unknown]", "<unknown>", "anonymous"]
).union(
    ["various", "various artists", "va", "v.a.", "unbekannt", "desconocido", "artiste inconnu"],
    ["soundtrack", "original soundtrack", "original motion picture soundtrack", "ost"],
    ["traditional", "trad", "trad.", "original cast", "original broadway cast"],
)
"""Names that stand for no artist: to keep their songs together would make one huge group."""

GUEST = re.compile(r"(?<=\S)\s*[(\[]?\b(?:feat\.|ft\.|featuring\b)\s*\S.*$")
"""A guest behind an artist's name. "&" and "with" may belong to the name of a group."""


def artist_key(artist: str | None) -> str | None:
    """An artist's name in the form in which names are compared, or None where nobody is named.

    Guests ("feat.", "ft.", "featuring") are left out: their songs are the main artist's.
    """
    if artist is None or pd.isna(artist):
        return None
    name = " ".join(unicodedata.normalize("NFKC", str(artist)).casefold().split())
    name = GUEST.sub("", name)
    return None if name in NO_ARTIST else name


def hashed_split(key: str, validation: float, test: float, seed: int) -> str:
    """Split of a group of songs as a pure function of its key and the seed.

    The key's hash is a number in [0, 1): below `test` is test, the next `validation` is validation.
    """
    place = _hash(key, seed) / 2**64
    if place < test:
        return "test"
    return "validation" if place < test + validation else "train"


def _hash(key: str, seed: int) -> int:
    """64 bits of a hash of the key."""
    digest = hashlib.sha256(f"{seed}:{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big")


def split_hashed(tracks: pd.DataFrame, validation: float, test: float, seed: int) -> pd.Series:
    """Splits by `hashed_split`: a song never changes split when others are added or relabelled.

    Args:
        tracks: Columns `track_id` and `artist` (nullable).
    """
    return pd.Series(
        [hashed_split(key, validation, test, seed) for key in _group_keys(tracks)],
        index=tracks.index,
        dtype="str",
    )


def split_exact(tracks: pd.DataFrame, validation: float, test: float, seed: int) -> pd.Series:
    """Stratified splits with exact counts: round(n · validation), round(n · test), the rest train.

    Shares are apportioned from the top down (largest remainders): over songs with and without
    audio, within these over languages, within these over genres. So a language × genre too small to
    have songs in every split still leaves its language's counts as they should be, and languages
    too small leave the whole's. Artists with several songs go to one split as a whole, which can
    make counts inexact only where no exchange of whole artists gives the exact ones.

    Args:
        tracks: Columns `track_id`, `artist`, `language`, `genre` (nullable), `has_audio`.
    """
    ordered = tracks.sort_values("track_id")
    rng = np.random.default_rng(seed)
    wanted = _quotas(ordered, validation, test, rng)
    split = _assign(_groups(ordered), wanted, rng)
    return pd.Series([split[key] for key in _group_keys(tracks)], index=tracks.index, dtype="str")


def split_folds(tracks: pd.DataFrame, folds: int, seed: int) -> pd.Series:
    """Splits `fold-0`, `fold-1`, ... for cross-validation, with as many songs with audio in each.

    The largest artists are dealt first, equal ones in the order of their keys' hashes, each to the
    fold with the fewest songs with audio so far; who has no audio, to the one with the fewest
    songs. A pure function of the songs and the seed.

    Args:
        tracks: Columns `track_id`, `artist`, `language`, `genre` (nullable), `has_audio`.

    Raises:
        SongatlasError: when there are fewer artists (or songs without one) than folds.
    """
    groups = _groups(tracks)
    if len(groups) < folds:
        raise SongatlasError(
            f"split.folds: {len(groups)} artists or songs without one cannot make {folds} folds; "
            f"set it to at most {len(groups)}, or add songs"
        )
    heard = {group.key: group.with_audio for group in groups}
    order = sorted(groups, key=lambda g: (-heard[g.key], -g.size, _hash(g.key, seed), g.key))
    audio, size = [0] * folds, [0] * folds
    fold_of: dict[str, str] = {}
    for group in order:
        # Who has no audio comes last and evens out what is left.
        filled = audio if heard[group.key] else [0] * folds
        full = list(zip(filled, size, strict=True))
        fold = full.index(min(full))
        audio[fold] += heard[group.key]
        size[fold] += group.size
        fold_of[group.key] = f"{PREFIX}{fold}"
    return pd.Series([fold_of[key] for key in _group_keys(tracks)], index=tracks.index, dtype="str")


@dataclass(frozen=True)
class _Group:
    """Songs that must share a split: its key, size, and songs per stratum."""

    key: str
    size: int
    strata: Mapping[Stratum, int]

    @property
    def with_audio(self) -> int:
        """How many of the songs have audio."""
        return sum(count for (audio, _, _), count in self.strata.items() if audio)


def _group_keys(tracks: pd.DataFrame) -> list[str]:
    names = {artist: artist_key(artist) for artist in tracks["artist"].dropna().unique()}
    return [
        f"track:{track_id}" if names.get(artist) is None else f"artist:{names[artist]}"
        for track_id, artist in zip(tracks["track_id"], tracks["artist"], strict=True)
    ]


def _strata(tracks: pd.DataFrame) -> list[Stratum]:
    return list(
        zip(
            tracks["has_audio"].astype(bool),
            tracks["language"].fillna("").astype("str"),
            tracks["genre"].fillna("").astype("str"),
            strict=True,
        )
    )


def _groups(tracks: pd.DataFrame) -> list[_Group]:
    members: dict[str, Counter[Stratum]] = defaultdict(Counter)
    for key, stratum in zip(_group_keys(tracks), _strata(tracks), strict=True):
        members[key][stratum] += 1
    return [_Group(key, sum(strata.values()), strata) for key, strata in sorted(members.items())]


def _quotas(
    tracks: pd.DataFrame, validation: float, test: float, rng: np.random.Generator
) -> dict[Stratum, dict[str, int]]:
    """Songs wanted per stratum and split."""
    sizes = Counter(_strata(tracks))
    total = len(tracks)
    wanted = {"test": round(total * test), "validation": round(total * validation)}
    wanted["validation"] = min(wanted["validation"], total - wanted["test"])
    quotas: dict[Stratum, dict[str, int]] = {}

    def descend(
        strata: Sequence[tuple[bool, str, str]], depth: int, counts: dict[str, int]
    ) -> None:
        if depth == 3:
            rest = sizes[strata[0]] - sum(counts.values())
            quotas[strata[0]] = {"train": rest, **counts}
            return
        children: dict[Hashable, list[Stratum]] = defaultdict(list)
        for stratum in strata:
            children[stratum[depth]].append(stratum)
        free = [sum(sizes[stratum] for stratum in child) for child in children.values()]
        shares: list[dict[str, int]] = [{} for _ in free]
        for name, wanted_here in counts.items():
            for place, share in enumerate(_apportion(wanted_here, free, rng)):
                shares[place][name] = share
                free[place] -= share
        for child, child_counts in zip(children.values(), shares, strict=True):
            descend(child, depth + 1, child_counts)

    if total:
        descend(sorted(sizes), 0, wanted)
    return quotas


def _apportion(count: int, sizes: Sequence[int], rng: np.random.Generator) -> list[int]:
    """Divide `count` in proportion to `sizes` by largest remainders; ties fall by lot."""
    total = sum(sizes)
    if not total:
        return [0] * len(sizes)
    exact = [count * size / total for size in sizes]
    shares = [min(int(value + 1e-9), size) for value, size in zip(exact, sizes, strict=True)]
    lots = rng.permutation(len(sizes))
    order = sorted(range(len(sizes)), key=lambda i: (-round(exact[i] - shares[i], 9), lots[i]))
    while (left := count - sum(shares)) > 0:
        for place in [i for i in order if shares[i] < sizes[i]][:left]:
            shares[place] += 1
    return shares


def _assign(
    groups: Sequence[_Group],
    wanted: Mapping[Stratum, Mapping[str, int]],
    rng: np.random.Generator,
) -> dict[str, str]:
    """Groups to splits: those of several songs first, single songs then fill what is missing."""
    totals = {name: sum(quota[name] for quota in wanted.values()) for name in SPLITS}
    left = dict(totals)
    open_places = {stratum: dict(quota) for stratum, quota in wanted.items()}
    split: dict[str, str] = {}
    lots = rng.permutation(len(groups))
    order = sorted(range(len(groups)), key=lambda place: (groups[place].size == 1, lots[place]))
    for place in order:
        group = groups[place]
        fitting = [name for name in SPLITS if left[name] >= group.size]
        if group.size == 1:
            stratum = next(iter(group.strata))
            name = max(
                fitting, key=lambda name: (open_places[stratum][name], left[name] / totals[name])
            )
        else:
            name = _neediest(group, fitting, wanted, open_places, left, totals)
        split[group.key] = name
        left[name] -= group.size
        for stratum, count in group.strata.items():
            open_places[stratum][name] -= count
    _exchange(groups, split, left)
    return split


def _neediest(
    group: _Group,
    fitting: Sequence[str],
    wanted: Mapping[Stratum, Mapping[str, int]],
    open_places: Mapping[Stratum, Mapping[str, int]],
    left: Mapping[str, int],
    totals: Mapping[str, int],
) -> str:
    """The split in which the group's strata, then the whole, are filled least so far."""
    if not fitting:
        return max(SPLITS, key=lambda name: left[name])

    def need(name: str) -> tuple[float, float]:
        strata = sum(
            count * open_places[stratum][name] / wanted[stratum][name]
            for stratum, count in group.strata.items()
            if wanted[stratum][name]
        )
        return strata / group.size, left[name] / totals[name]

    return max(fitting, key=need)


def _exchange(groups: Sequence[_Group], split: dict[str, str], left: dict[str, int]) -> None:
    """Bring counts to what is wanted by moving one group, or by exchanging two, between splits."""
    while any(left.values()):
        by_size: dict[str, dict[int, list[str]]] = {name: defaultdict(list) for name in SPLITS}
        for group in groups:
            by_size[split[group.key]][group.size].append(group.key)
        step = _best_step(by_size, left)
        if step is None:
            return
        source, target, given, taken = step
        moved = by_size[source][given][0]
        back = by_size[target][taken][0] if taken else None
        split[moved] = target
        if back:
            split[back] = source
        left[source] += given - taken
        left[target] -= given - taken


def _best_step(
    by_size: Mapping[str, Mapping[int, Sequence[str]]], left: Mapping[str, int]
) -> tuple[str, str, int, int] | None:
    """The move (source, target, size given, size taken back) that helps most, or None."""
    best, gain = None, 0
    for source in SPLITS:
        for target in SPLITS:
            if left[source] >= 0 and left[target] <= 0:
                continue
            for given in sorted(by_size[source]):
                for taken in [0, *sorted(by_size[target])]:
                    change = given - taken
                    if source == target or change <= 0:
                        continue
                    before = abs(left[source]) + abs(left[target])
                    after = abs(left[source] + change) + abs(left[target] - change)
                    if before - after > gain:
                        best, gain = (source, target, given, taken), before - after
    return best
