"""Everything about a song that is decided before a sample is rendered."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from songatlas.demo.synthesis import harmony
from songatlas.demo.synthesis.drums import PATTERNS
from songatlas.demo.synthesis.grid import Grid
from songatlas.demo.synthesis.mix import EQ_BANDS_HZ
from songatlas.demo.synthesis.verses import GENRES, LANGUAGES, Artist, Verses, read_songbook
from songatlas.demo.synthesis.voice import VARIANTS

SONGS_PER_CELL = 4
"""Songs of each language and genre: two artists with two songs each."""

TEMPO_BPM = {"pop": (94.0, 128.0), "rock": (96.0, 136.0), "hip-hop": (82.0, 112.0)}
SWING = {"pop": (0.5, 0.56), "rock": (0.5, 0.53), "hip-hop": (0.52, 0.62)}
MINOR_SHARE = {"pop": 0.45, "rock": 0.45, "hip-hop": 0.65}
LOUDNESS_DB = (-19.5, -15.5)
NOISE_DB = (-72.0, -60.0)
MIX_DB = (-1.5, 1.5)
"""How far drums, bass, harmony and vocals lie from the usual balance of their genre."""
LENGTH_S = (37.0, 43.0)
EQ_SPREAD_DB = 1.2
"""Standard deviation of the mix's equaliser bands: the same for all genres, so that the average
spectrum says less about the genre than the playing does."""

BASSES = {
    "pop": ("synth bass", "synth bass", "synth bass", "bass guitar"),
    "rock": ("bass guitar", "bass guitar", "bass guitar", "synth bass"),
    "hip-hop": ("808", "808", "808", "bass guitar"),
}
CHORDS = {
    "pop": ("pluck", "pluck", "bell", "electric piano"),
    "rock": ("distorted guitar",),
    "hip-hop": ("electric piano", "pluck", "bell", "clean guitar"),
}
"""What plays the arpeggio over the pads of pop, the power chords of rock, the loop of hip-hop."""

COLOURS = ("none", "organ", "strings", "electric piano", "bell", "clean guitar")
"""One more instrument, drawn alike for every genre."""

FORMS = {
    "intro-verse-chorus-verse-chorus": ("intro", "verse", "chorus", "second_verse", "chorus"),
    "chorus first": ("intro", "chorus", "verse", "break", "second_verse", "chorus"),
    "verse-chorus-break": ("intro", "verse", "chorus", "break", "second_verse", "chorus", "outro"),
    "two verses": ("intro", "verse", "second_verse", "chorus", "break", "chorus", "outro"),
}
INSTRUMENTAL = ("intro", "break", "outro")


@dataclass(frozen=True)
class Section:
    """A stretch of bars; `lines` are empty where nobody sings."""

    name: str
    first_bar: int
    bars: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class SongPlan:
    """One song to be. Decibels of instruments are relative to the genre's usual mix."""

    index: int
    seed: int
    source_id: str
    language: str
    genre: str
    artist: Artist
    verses: Verses
    voice: str
    tempo_bpm: float
    swing: float
    tonic: int
    mode: str
    progression: str
    form: str
    sections: tuple[Section, ...]
    bars_per_line: int
    patterns: dict[str, str]
    bass: str
    chords: str
    colour: str
    colour_db: float
    loudness_db: float
    eq_db: tuple[float, ...]
    reverb_s: float
    kit_tuning: float
    kit_length: float
    drums_db: float
    bass_db: float
    harmony_db: float
    vocals_db: float
    brightness: float
    noise_db: float
    register: float
    chorus_sung: bool
    fade_s: float

    @property
    def grid(self) -> Grid:
        return Grid(self.tempo_bpm, self.swing)

    @property
    def instruments(self) -> tuple[str, ...]:
        """Everything that plays, the voice aside, in alphabetical order."""
        pads = ("pads",) if self.genre == "pop" else ()
        colour = () if self.colour == "none" else (self.colour,)
        return tuple(sorted({"drums", self.bass, self.chords, *pads, *colour}))

    @property
    def bars(self) -> int:
        return self.sections[-1].first_bar + self.sections[-1].bars

    def rng(self, stream: int) -> np.random.Generator:
        """An independent generator for one part of the song."""
        return np.random.default_rng([self.seed, self.index, stream])


def draw_plans(seed: int, folder: Path) -> list[SongPlan]:
    """Draw all songs, ordered by language, genre and number.

    Every number is drawn by stratum: within a genre each language gets one song from each quarter
    of the range, so that no factor follows the language. Themes rotate over genres.

    Raises:
        VersesError: when the verses in `folder` cannot be read.
    """
    rng = np.random.default_rng([seed, 48])
    books = {language: read_songbook(folder, language) for language in LANGUAGES}
    singers = _singers(rng)
    draws = {genre: _GenreDraws(rng) for genre in GENRES}
    plans: list[SongPlan] = []
    for at, language in enumerate(LANGUAGES):
        book = books[language]
        for genre_at, genre in enumerate(GENRES):
            numbers = [i for i in range(12) if (i + at) % len(GENRES) == genre_at]
            for slot, number in enumerate(rng.permutation(numbers)):
                artist = book.artists[genre][slot // 2]
                plans.append(
                    _plan(
                        rng,
                        draws[genre],
                        (at, slot),
                        index=len(plans),
                        seed=seed,
                        source_id=f"{language}-{genre}-{slot + 1}",
                        language=language,
                        genre=genre,
                        artist=artist,
                        verses=book.songs[number],
                        voice=singers[language, artist.gender][genre_at],
                    )
                )
    return plans


def _singers(rng: np.random.Generator) -> dict[tuple[str, str], list[str]]:
    """Three variants per language and gender; every variant sings in two languages."""
    singers = {}
    for gender in ("female", "male"):
        names = [name for name, variant in VARIANTS.items() if variant.gender == gender]
        order = [*rng.permutation(names), *rng.permutation(names)]
        for at, language in enumerate(LANGUAGES):
            singers[language, gender] = [str(name) for name in order[3 * at : 3 * at + 3]]
    return singers


class _GenreDraws:
    """Stratified numbers in [0, 1) for the songs of a genre, one array per factor."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._factors: dict[str, np.ndarray] = {}

    def __call__(self, factor: str, place: tuple[int, int]) -> float:
        if factor not in self._factors:
            self._factors[factor] = _stratified(self._rng)
        return float(self._factors[factor][place])


def _stratified(rng: np.random.Generator) -> np.ndarray:
    """Shape (languages, songs): each row has one number in each quarter, all cover sixteenths."""
    languages = len(LANGUAGES)
    table = np.empty((languages, SONGS_PER_CELL))
    for quarter in range(SONGS_PER_CELL):
        fine = (rng.permutation(languages) + rng.random(languages)) / languages
        table[:, quarter] = (quarter + fine) / SONGS_PER_CELL
    return np.array([rng.permutation(row) for row in table])


def _plan(
    rng: np.random.Generator,
    draw: _GenreDraws,
    place: tuple[int, int],
    *,
    genre: str,
    verses: Verses,
    **identity: object,
) -> SongPlan:
    def between(factor: str, low: float, high: float) -> float:
        return round(low + (high - low) * draw(factor, place), 3)

    def one_of(factor: str, options: tuple[str, ...]) -> str:
        return options[int(draw(factor, place) * len(options))]

    tempo = between("tempo", *TEMPO_BPM[genre])
    form = one_of("form", tuple(FORMS))
    sections, bars_per_line = _lay_out(form, tempo, between("length", *LENGTH_S), verses)
    normal = rng.standard_normal(len(EQ_BANDS_HZ))
    return SongPlan(
        **identity,  # type: ignore[arg-type]
        genre=genre,
        verses=verses,
        tempo_bpm=tempo,
        swing=between("swing", *SWING[genre]),
        tonic=int(draw("tonic", place) * 12),
        mode="minor" if draw("mode", place) < MINOR_SHARE[genre] else "major",
        progression=one_of("progression", harmony.PROGRESSIONS[genre]),
        form=form,
        sections=sections,
        bars_per_line=bars_per_line,
        patterns={part: one_of(part, rows) for part, rows in PATTERNS[genre].items()},
        bass=one_of("bass", BASSES[genre]),
        chords=one_of("chords", CHORDS[genre]),
        colour=one_of("colour", COLOURS),
        colour_db=between("colour_db", -4.0, 4.0),
        loudness_db=between("loudness", *LOUDNESS_DB),
        eq_db=tuple(round(float(gain), 3) for gain in EQ_SPREAD_DB * np.clip(normal, -2.0, 2.0)),
        reverb_s=between("reverb", 0.5, 1.8),
        kit_tuning=between("kit_tuning", 0.85, 1.18),
        kit_length=between("kit_length", 0.8, 1.25),
        drums_db=between("drums_db", *MIX_DB),
        bass_db=between("bass_db", *MIX_DB),
        harmony_db=between("harmony_db", *MIX_DB),
        vocals_db=between("vocals_db", *MIX_DB),
        brightness=between("brightness", 0.0, 1.0),
        noise_db=between("noise_db", *NOISE_DB),
        register=between("register", 0.95, 1.15),
        chorus_sung=genre != "hip-hop" or draw("chorus_sung", place) < 0.6,
        fade_s=between("fade", 0.4, 2.5),
    )


def _lay_out(
    form: str, tempo_bpm: float, length_s: float, verses: Verses
) -> tuple[tuple[Section, ...], int]:
    """Sections that fill `length_s` to the bar, and the number of bars that a line takes.

    A line takes one bar at slow tempos and two at fast ones. The last repeat of the chorus goes
    where there is no room for it; bars that are left over go to the instrumental sections.
    """
    bar_s = Grid(tempo_bpm, 0.5).bar_s
    bars_per_line = 1 if bar_s >= 2.25 else 2
    fewest, most = int(np.ceil(36.0 / bar_s)), int(43.4 / bar_s)
    total = min(max(round(length_s / bar_s), fewest), most)
    names = list(FORMS[form])
    sung = {name: getattr(verses, name) for name in ("verse", "chorus", "second_verse")}

    def needed() -> int:
        return sum(len(sung[name]) * bars_per_line for name in names if name in sung)

    if needed() > total - 1:
        names.reverse()
        names.remove("chorus")
        names.reverse()
    spare = total - needed()
    slots = [at for at, name in enumerate(names) if name in INSTRUMENTAL][:spare]
    bars = {at: len(sung[name]) * bars_per_line for at, name in enumerate(names) if name in sung}
    for turn in range(spare):
        at = slots[turn % len(slots)]
        bars[at] = bars.get(at, 0) + 1
    sections = []
    first = 0
    for at, name in enumerate(names):
        if bars.get(at, 0):
            sections.append(Section(name, first, bars[at], sung.get(name, ())))
            first += bars[at]
    return tuple(sections), bars_per_line
