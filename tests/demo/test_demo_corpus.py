"""The demo corpus: what it holds, that it is the same everywhere, what gives a genre away."""

import json
import platform
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from songatlas.demo import demo
from songatlas.demo.synthesis import drums, harmony, singing
from songatlas.demo.synthesis.grid import SAMPLE_RATE_HZ, Grid
from songatlas.demo.synthesis.plan import draw_plans
from songatlas.demo.synthesis.verses import GENRES, LANGUAGES, VersesError, read_songbook
from songatlas.demo.synthesis.voice import VARIANTS, Voice
from songatlas.errors import SongatlasError

FROZEN = "63255b4b93e617d7623e7641d2638ac768a1fab27acd0ed4a406ec9815b7e0d7"
"""Of seed 0 with the locked dependencies. Whoever changes the synthesis changes it knowingly."""

FEW = ["ar-pop-1", "en-rock-3", "es-hip-hop-3", "hi-hip-hop-2", "en-pop-4", "es-rock-2"]
FROZEN_FEW = "2988d0cd04032087081a8b595bc2250baea2c20d0884f3d3744108d10e648bfc"
"""The same of six songs: what synthesises all 48 is in the slow suite."""

SCRIPTS = {"ar": "ARABIC", "en": "LATIN", "hi": "DEVANAGARI", "es": "LATIN"}


@pytest.fixture(scope="session")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    demo.synthesise(folder, workers=2, only=FEW)
    return folder


@pytest.fixture(scope="session")
def few_songs(few: Path) -> pd.DataFrame:
    return pd.read_parquet(few / "songs.parquet")


@pytest.fixture(scope="session")
def few_audio(few_songs: pd.DataFrame) -> list[np.ndarray]:
    return [soundfile.read(path)[0] for path in few_songs["audio_path"]]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    demo.synthesise(folder, workers=2)
    return folder


@pytest.fixture(scope="session")
def songs(corpus: Path) -> pd.DataFrame:
    return pd.read_parquet(corpus / "songs.parquet")


@pytest.fixture(scope="session")
def audio(songs: pd.DataFrame) -> list[np.ndarray]:
    return [soundfile.read(path)[0] for path in songs["audio_path"]]


# --- the same everywhere ----------------------------------------------------------------------


on_linux = pytest.mark.skipif(
    (platform.system(), platform.machine()) != ("Linux", "x86_64"),
    reason="espeak-ng is another binary on this platform; the frozen hash is Linux x86_64's",
)


@on_linux
def test_hash_of_six_songs_is_frozen(few: Path) -> None:
    assert demo.corpus_hash(few) == FROZEN_FEW


@pytest.mark.slow
@on_linux
def test_corpus_hash_is_frozen(corpus: Path) -> None:
    assert demo.corpus_hash(corpus) == FROZEN


def test_bytes_do_not_depend_on_workers_nor_on_other_songs(few: Path, tmp_path: Path) -> None:
    """One process renders three songs in a row; the six came from two processes."""
    frame = demo.synthesise(tmp_path, workers=1, only=FEW[:3])
    assert sorted(frame["source_id"]) == sorted(FEW[:3])
    for name in FEW[:3]:
        here, there = (f / "audio" / f"{name}.flac" for f in (tmp_path, few))
        assert here.read_bytes() == there.read_bytes(), name
    whole = pd.read_parquet(few / "songs.parquet").set_index("source_id")
    part = frame.set_index("source_id")
    for column in ("lines", "notes", "lyrics", "factor_tempo_bpm", "factor_voice"):
        assert part[column].equals(whole.loc[part.index, column]), column


def test_hash_notices_a_changed_sample_and_a_changed_label(tmp_path: Path) -> None:
    demo.synthesise(tmp_path, workers=1, only=FEW[:1])
    first = demo.corpus_hash(tmp_path)
    path = tmp_path / "audio" / f"{FEW[0]}.flac"
    samples, rate = soundfile.read(path, dtype="int16")
    changed = samples.copy()
    changed[1000] += 1
    soundfile.write(path, changed, rate, subtype="PCM_16")
    assert demo.corpus_hash(tmp_path) != first
    soundfile.write(path, samples, rate, subtype="PCM_16")
    assert demo.corpus_hash(tmp_path) == first


def test_another_seed_gives_other_songs() -> None:
    plans = [draw_plans(seed, demo.RESOURCES) for seed in (0, 0, 1)]
    assert plans[0] == plans[1]
    assert all(a.tempo_bpm != b.tempo_bpm for a, b in zip(plans[0], plans[2], strict=True))


@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_voice_says_the_same_whatever_was_said_before_by_another(variant: str) -> None:
    def speak() -> np.ndarray:
        voice = Voice("es", variant)
        return np.concatenate([voice.say(word, 120, 40) for word in ("lluvia", "del", "lunes")])

    first = speak()
    Voice("hi", "f4").say("नमस्ते", 150)
    np.testing.assert_array_equal(first, speak())


# --- what it holds ----------------------------------------------------------------------------


@pytest.mark.slow
def test_four_songs_of_every_language_and_genre(songs: pd.DataFrame) -> None:
    counts = songs.groupby(["language", "genre"]).size()
    assert len(songs) == 48
    assert set(counts.index) == {(la, ge) for la in LANGUAGES for ge in GENRES}
    assert set(counts) == {4}


@pytest.mark.slow
def test_artists_have_two_songs_and_keep_language_genre_and_voice(songs: pd.DataFrame) -> None:
    by_artist = songs.groupby("artist")
    assert len(by_artist) == 24
    assert set(by_artist.size()) == {2}
    for column in ("language", "genre", "factor_voice", "factor_gender"):
        assert set(by_artist[column].nunique()) == {1}, column


def test_audio_is_mono_22050_hz_16_bit_flac_of_36_to_44_s(few_songs: pd.DataFrame) -> None:
    for name, path in zip(few_songs["source_id"], few_songs["audio_path"], strict=True):
        info = soundfile.info(path)
        assert (info.format, info.subtype, info.channels) == ("FLAC", "PCM_16", 1), name
        assert info.samplerate == SAMPLE_RATE_HZ
        assert 36.0 <= info.duration <= 44.0, name
        assert Path(path).name == f"{name}.flac"
        assert name.isascii()


def test_audio_never_clips_and_is_never_silent(
    few_songs: pd.DataFrame, few_audio: list[np.ndarray]
) -> None:
    for name, samples in zip(few_songs["source_id"], few_audio, strict=True):
        assert 0.1 < np.abs(samples).max() < 0.95, name
        seconds = samples[: len(samples) // SAMPLE_RATE_HZ * SAMPLE_RATE_HZ]
        rms = np.sqrt((seconds.reshape(-1, SAMPLE_RATE_HZ) ** 2).mean(axis=1))
        assert rms[:-1].min() > 1e-3, name
        assert np.abs(samples[-100:]).max() < 0.01, name  # faded out


def test_lines_are_ordered_inside_the_song_and_are_the_lyrics(
    few_songs: pd.DataFrame, few_audio: list[np.ndarray]
) -> None:
    for row, samples in zip(few_songs.itertuples(), few_audio, strict=True):
        lines = json.loads(row.lines)
        assert "\n".join(line["text"] for line in lines) == row.lyrics
        assert row.lyrics_source == "timed"
        starts = [line["start_s"] for line in lines]
        assert starts == sorted(starts)
        assert len(set(starts)) == len(starts)
        assert all(0.0 <= line["start_s"] < line["end_s"] for line in lines)
        assert lines[-1]["end_s"] <= len(samples) / SAMPLE_RATE_HZ
        overlaps = [a["end_s"] - b["start_s"] for a, b in pairwise(lines)]
        assert max(overlaps) < 0.1, row.source_id


def test_notes_lie_within_their_lines_and_in_a_singers_range(few_songs: pd.DataFrame) -> None:
    sung = few_songs[few_songs["notes"].notna()]
    assert {"pop", "rock", "hip-hop"} == set(sung["genre"])
    for row in sung.itertuples():
        lines = json.loads(row.lines)
        for note in json.loads(row.notes):
            assert 36 <= note["midi"] <= 76
            assert note["start_s"] < note["end_s"]
            assert any(
                line["start_s"] - 0.02 <= note["start_s"] and note["end_s"] <= line["end_s"] + 0.02
                for line in lines
            )


def test_the_voice_sings_the_notes_that_are_written_down() -> None:
    voice = Voice("en", "m3")
    style = singing.Style(2, 1.0, 0.0, 0.0, 0.0)
    for midi in (42, 47, 52):
        sound = singing.sing_word(voice, "morning", 0.5, 1.0, [midi], style)
        middle = sound[len(sound) // 3 :][:4096]
        spectrum = np.abs(np.fft.rfft(middle * np.hanning(4096), 1 << 15)) ** 2
        correlation = np.fft.irfft(spectrum)
        expected = SAMPLE_RATE_HZ / (440.0 * 2.0 ** ((midi - 69) / 12))
        lags = np.arange(int(expected / 1.2), int(expected * 1.2))
        period = lags[np.argmax(correlation[lags])]
        assert abs(12 * np.log2(expected / period)) < 0.5, midi


# --- the words --------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_twelve_songs_of_its_own_in_its_own_script(language: str) -> None:
    import unicodedata

    book = read_songbook(demo.RESOURCES, language)
    assert len(book.songs) >= 12
    assert len({song.title for song in book.songs}) == len(book.songs)
    for song in book.songs:
        lines = [*song.verse, *song.chorus, *song.second_verse]
        assert 8 <= len(lines) <= 12
        letters = [letter for line in lines for letter in line if letter.isalpha()]
        assert all(unicodedata.name(letter).startswith(SCRIPTS[language]) for letter in letters)
        assert all(unicodedata.is_normalized("NFC", line) for line in lines)


@pytest.mark.slow
def test_every_song_has_lyrics_of_its_own(songs: pd.DataFrame) -> None:
    assert songs["lyrics"].nunique() == 48
    assert set(songs["license"]) == {"CC0-1.0"}
    assert "CC0" in (demo.RESOURCES / "LICENSE").read_text(encoding="utf-8")


@pytest.mark.slow
def test_themes_do_not_give_the_genre_away(songs: pd.DataFrame) -> None:
    genres = songs.groupby("factor_theme")["genre"].agg(["nunique", "size"])
    assert set(genres["nunique"]) == {3}
    assert set(genres["size"]) == {4}


def test_absent_or_incomplete_verses_are_named(tmp_path: Path) -> None:
    with pytest.raises(VersesError, match=r"lyrics_en\.yaml: no such file"):
        read_songbook(tmp_path, "en")
    path = tmp_path / "lyrics_en.yaml"
    path.write_text("artists: {}\nsongs:\n  - title: One\n", encoding="utf-8")
    with pytest.raises(VersesError, match="missing or malformed"):
        read_songbook(tmp_path, "en")
    path.write_text("songs: [", encoding="utf-8")
    with pytest.raises(VersesError, match="not valid YAML"):
        read_songbook(tmp_path, "en")


def test_unknown_song_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SongatlasError, match="no song `xx`"):
        demo.synthesise(tmp_path, workers=1, only=["xx"])


# --- what overlaps, and what it gives away ----------------------------------------------------

NUMBERS = ["tempo_bpm", "key", "loudness_db", "reverb_s", "brightness", "kit_tuning", "bars"]
KINDS = ["mode", "form", "colour", "voice", "gender", "bars_per_line"]


@pytest.mark.slow
@pytest.mark.parametrize("factor", NUMBERS)
def test_ranges_of_factors_overlap_between_all_genres(songs: pd.DataFrame, factor: str) -> None:
    by_genre = songs.groupby("genre")[f"factor_{factor}"]
    low, high = by_genre.min(), by_genre.max()
    shared = songs[f"factor_{factor}"].between(low.max(), high.min())
    assert set(songs[shared]["genre"]) == set(GENRES)


@pytest.mark.slow
@pytest.mark.parametrize("factor", KINDS)
def test_most_values_of_factors_occur_in_all_genres(songs: pd.DataFrame, factor: str) -> None:
    spread = songs.groupby(f"factor_{factor}")["genre"].nunique()
    assert spread.max() == 3 if factor != "voice" else spread.max() >= 2
    assert spread.min() >= 1
    assert (spread >= 2).mean() > 0.5


@pytest.mark.slow
def test_instruments_are_shared_between_genres(songs: pd.DataFrame) -> None:
    played = songs.assign(one=songs["factor_instruments"].str.split(", ")).explode("one")
    genres = played.groupby("one")["genre"].nunique()
    assert set(genres[["drums", "bass guitar", "electric piano", "bell"]]) == {3}


@pytest.mark.slow
def test_factors_are_balanced_over_languages(songs: pd.DataFrame) -> None:
    """Of each genre, every language has one song in each quarter of the tempo range."""
    for genre, some in songs.groupby("genre"):
        rank = some["factor_tempo_bpm"].rank(method="first").sub(1).floordiv(4)
        assert set(rank.groupby(some["language"]).apply(sorted).map(tuple)) == {(0, 1, 2, 3)}, genre


def _log_mels(
    audio: list[np.ndarray], n_mels: int, hop_length: int, length_s: float, hop_s: float
) -> list[list[np.ndarray]]:
    import librosa

    length, hop = (round(value * SAMPLE_RATE_HZ) for value in (length_s, hop_s))
    songs = []
    for samples in audio:
        starts = range(0, len(samples) - length + 1, hop)
        songs.append(
            [
                librosa.power_to_db(
                    librosa.feature.melspectrogram(
                        y=samples[start : start + length],
                        sr=SAMPLE_RATE_HZ,
                        n_fft=2048,
                        hop_length=hop_length,
                        n_mels=n_mels,
                        pad_mode="constant",
                    ),
                    top_db=80.0,
                )
                for start in starts
            ]
        )
    return songs


def _nmi(vectors: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    from sklearn.cluster import AgglomerativeClustering, KMeans
    from sklearn.metrics import normalized_mutual_info_score

    z = (vectors - vectors.mean(axis=0)) / vectors.std(axis=0)
    k = len(set(labels))
    clusterings = {
        "kmeans": KMeans(k, n_init=10, random_state=0).fit_predict(z),
        "ward": AgglomerativeClustering(k).fit_predict(z),
    }
    return {name: normalized_mutual_info_score(labels, c) for name, c in clusterings.items()}


@pytest.mark.slow
@pytest.mark.parametrize("size", [(64, 1024, 10.0, 7.5), (128, 512, 30.0, 20.0)])
def test_average_spectrum_tells_genre_in_part(
    songs: pd.DataFrame, audio: list[np.ndarray], size: tuple[int, int, float, float]
) -> None:
    """`mean_mel`: between guessing and knowing. How bands move over time tells much more."""
    log_mels = _log_mels(audio, *size)
    genre, language = (songs[column].to_numpy(object) for column in ("genre", "language"))
    raw = np.array([np.mean([w.mean(axis=1) for w in song], axis=0) for song in log_mels])
    alike = np.array(
        [
            np.mean([((w - w.mean()) / w.std()).mean(axis=1) for w in song], axis=0)
            for song in log_mels
        ]
    )
    for vectors in (raw, alike):
        for name, nmi in _nmi(vectors, genre).items():
            assert 0.4 <= nmi <= 0.8, name
        assert max(_nmi(vectors, language).values()) < 0.2
    moving = np.array([np.mean([w.std(axis=1) for w in song], axis=0) for song in log_mels])
    assert min(_nmi(moving, genre).values()) >= 0.85


# --- parts ------------------------------------------------------------------------------------


def test_odd_sixteenths_come_late_by_the_swing() -> None:
    straight, swung = Grid(120.0, 0.5), Grid(120.0, 0.6)
    assert straight.time_s(1, 3) == pytest.approx(2.0 + 3 * 0.125)
    assert swung.time_s(1, 2) == straight.time_s(1, 2)
    assert swung.time_s(0, 1) == pytest.approx(0.6 * 0.25)


def test_shares_fill_the_bar_with_every_word() -> None:
    rng = np.random.default_rng(0)
    for words in range(1, 13):
        durations = rng.uniform(0.1, 1.0, words)
        shares = singing.shares(durations, 14, 2)
        assert shares.min() >= 1
        assert shares.sum() <= 14 or words > 14
        assert shares.sum() == 14 or words <= 7


def test_stretch_keeps_the_pitch_of_a_tone() -> None:
    period = 100
    tone = np.sin(2 * np.pi * np.arange(5000) / period)
    for n in (3000, 9000):
        out = singing.stretch(tone, period, n)
        assert len(out) == n
        middle = slice(2 * period, n - 2 * period)
        np.testing.assert_allclose(
            out[middle], np.sin(2 * np.pi * np.arange(n) / period)[middle], atol=0.02
        )


def test_melody_stays_in_scale_and_range() -> None:
    notes = harmony.melody(np.random.default_rng(3), 2, "minor", [0, 3, 4] * 20, 50.0, 60.0)
    assert all(50 <= note <= 60 and (note - 2) % 12 in harmony.SCALES["minor"] for note in notes)
    assert len(set(notes)) > 3


def test_patterns_are_one_bar_of_known_marks() -> None:
    for parts in drums.PATTERNS.values():
        for rows in parts.values():
            assert all(len(row) == 16 and set(row) <= set(drums.VELOCITIES) for row in rows)
