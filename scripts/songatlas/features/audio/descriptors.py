"""Classical descriptors of a window: timbre, harmony and rhythm as one vector with named entries.

Mean and standard deviation over time of the frame-wise features of Tzanetakis and Cook (2002), and
key, tempo and beat strength. Feature definitions are librosa's; they share one spectrogram.
"""

from collections.abc import Iterator
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from songatlas.config.features import LogMel
from songatlas.features.audio.extract import WindowFeature, write_window_feature
from songatlas.features.audio.mel import AMIN, mel_filters
from songatlas.run.compiled import compiling

DELTA_WIDTH = 9
"""Frames that a derivative is estimated over (librosa's default)."""


def mfcc(logmel: np.ndarray, n_mfcc: int = 40) -> np.ndarray:
    """Mel-frequency cepstral coefficients of log-mel spectrograms in dB.

    Orthonormal DCT-II over mel bands, as `librosa.feature.mfcc(S=logmel)` (Davis and Mermelstein,
    1980).

    Args:
        logmel: shape (..., n_mels, n_frames), raw dB (not standardised).
        n_mfcc: coefficients kept, the zeroth (loudness) included.

    Returns:
        float32 of shape (..., n_mfcc, n_frames).

    Raises:
        ValueError: when there are fewer mel bands than coefficients.
    """
    if not 1 <= n_mfcc <= logmel.shape[-2]:
        raise ValueError(f"{n_mfcc} coefficients from {logmel.shape[-2]} mel bands")
    # A product with the few rows that are kept is faster than a transform of all.
    values = np.ascontiguousarray(logmel, np.float32)
    return np.matmul(_cosines(logmel.shape[-2], n_mfcc), values)


@lru_cache(maxsize=4)
def _cosines(n_mels: int, n_mfcc: int) -> np.ndarray:
    """The first rows of the orthonormal DCT-II, float32 (n_mfcc, n_mels)."""
    from scipy.fft import dct

    rows = dct(np.eye(n_mels), axis=0, type=2, norm="ortho")[:n_mfcc]
    return rows.astype(np.float32)


def delta(features: np.ndarray, order: int = 1) -> np.ndarray:
    """Derivative of `order` over the last axis by a Savitzky-Golay filter, same shape.

    Equals `librosa.feature.delta(width=9, mode="interp")`.

    Raises:
        ValueError: when there are fewer than nine frames.
    """
    from scipy.signal import savgol_filter

    if features.shape[-1] < DELTA_WIDTH:
        raise ValueError(f"derivatives need {DELTA_WIDTH} frames, there are {features.shape[-1]}")
    return savgol_filter(
        features, DELTA_WIDTH, polyorder=order, deriv=order, axis=-1, mode="interp"
    ).astype(np.float32)


N_MFCC = 20
PITCHES = ("C", "Cs", "D", "Ds", "E", "F", "Fs", "G", "Gs", "A", "As", "B")
CONTRAST_BANDS = 6
CONTRAST_LOWEST_HZ = 200.0
SLOWEST_BPM, FASTEST_BPM = 40.0, 240.0
RHYTHM_BANDS = 16
TEMPI_PER_BAND = 24
TEMPI_BPM = np.geomspace(SLOWEST_BPM, FASTEST_BPM, RHYTHM_BANDS * TEMPI_PER_BAND)
"""Tempi that are tried (0.5 % apart); the rhythm profile has one value per band of them."""

TEMPO_CENTRE_BPM = 120.0
"""Where listeners prefer the beat (Parncutt 1994): breaks ties between a tempo and its double."""
ONSET_MEMORY_S = 8.0
"""Longest lag of the onset autocorrelation."""

# Probe-tone profiles of Krumhansl and Kessler (1982), tonic first.
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)


def names() -> list[str]:
    """Names of a vector's entries, in order."""
    framewise = [
        *(f"mfcc_{i}" for i in range(N_MFCC)),
        *(f"chroma_{pitch}" for pitch in PITCHES),
        *(f"contrast_{i}" for i in range(CONTRAST_BANDS + 1)),
        *("centroid_hz", "bandwidth_hz", "rolloff_hz", "zero_crossing_rate", "rms_db"),
        "onset_strength",
    ]
    return [
        *(f"{name}_{statistic}" for statistic in ("mean", "sd") for name in framewise),
        *(f"mfcc_delta_{i}_sd" for i in range(N_MFCC)),
        *(f"key_{pitch}_{mode}" for mode in ("major", "minor") for pitch in PITCHES),
        *("key_clarity", "key_mode"),
        *("tempo_bpm", "pulse_clarity", "onset_rate_hz"),
        *(f"rhythm_from_{bpm:.0f}_bpm" for bpm in TEMPI_BPM[::TEMPI_PER_BAND]),
    ]


def describe(window: np.ndarray, config: LogMel) -> np.ndarray:
    """Descriptors of one window: float32 of shape (len(names()),), finite for any finite samples.

    Args:
        window: float32 samples of shape (samples,) at `config.sample_rate_hz`.
    """
    import librosa

    rate, hop = config.sample_rate_hz, config.hop_length
    magnitude = np.abs(
        librosa.stft(window, n_fft=config.n_fft, hop_length=hop, center=True, pad_mode="constant")
    )
    power = np.square(magnitude)
    mel_power = mel_filters(config) @ power
    mel_db = librosa.power_to_db(mel_power, ref=1.0, amin=AMIN, top_db=config.top_db)
    chroma = librosa.util.normalize(_chroma_filters(config) @ power, norm=np.inf, axis=0)
    coefficients = mfcc(mel_db, N_MFCC)
    centroid = librosa.feature.spectral_centroid(S=magnitude, sr=rate, n_fft=config.n_fft)
    rms = librosa.feature.rms(y=window, frame_length=config.n_fft, hop_length=hop)
    onsets = librosa.onset.onset_strength(S=mel_db, sr=rate, hop_length=hop, n_fft=config.n_fft)
    framewise = np.concatenate(
        [
            coefficients,
            chroma,
            _contrast(magnitude, config),
            centroid,
            librosa.feature.spectral_bandwidth(
                S=magnitude, sr=rate, n_fft=config.n_fft, centroid=centroid
            ),
            librosa.feature.spectral_rolloff(S=magnitude, sr=rate, n_fft=config.n_fft),
            librosa.feature.zero_crossing_rate(
                window, frame_length=config.n_fft, hop_length=hop, center=True
            ),
            librosa.power_to_db(np.square(rms), top_db=None),
            onsets[np.newaxis],
        ]
    )
    parts = [
        framewise.mean(axis=1),
        framewise.std(axis=1),
        _delta_deviation(coefficients),
        *_key(chroma.mean(axis=1)),
        *_rhythm(onsets, rate / hop),
    ]
    return np.concatenate(parts).astype(np.float32)


@cache
def ready() -> None:
    """Have librosa compile what `describe` needs, or load it: once a process, under the lock."""
    config = LogMel()
    noise = np.random.default_rng(0).normal(0.0, 0.1, 3 * config.sample_rate_hz)
    with compiling():
        describe(noise.astype(np.float32), config)


def write_descriptors(
    shard_path: str | Path,
    output: str | Path,
    length_s: float,
    config: LogMel,
    rejects_path: str | Path | None = None,
    warnings_path: str | Path | None = None,
    excerpts: int | None = None,
) -> str:
    """Write the descriptors of a shard's windows (float32; metadata `names` names the entries).

    Songs that cannot be decoded are left out and recorded in `rejects_path` (stage `descriptors`);
    what is odd about the others goes to `warnings_path`.

    Args:
        shard_path: a table `tables.SHARD`.
        output: feature part, key window_id, shape (len(names()),).
        length_s: length of every window in seconds.
        excerpts: patches of a song that its windows are described by; None: all of the song.

    Returns:
        How many songs were written and left out, in words.
    """

    ready()

    def compute(windows: np.ndarray) -> np.ndarray:
        return np.stack([describe(window, config) for window in windows])

    feature = WindowFeature(
        name="descriptors",
        shape=(len(names()),),
        dtype="float32",
        units="see names",
        metadata={"names": names(), "logmel": config.model_dump(), "length_s": length_s},
        compute=compute,
        excerpts=excerpts,
    )
    return write_window_feature(
        feature,
        shard_path,
        output,
        rejects_path,
        config.sample_rate_hz,
        length_s,
        warnings_path,
    )


def _delta_deviation(coefficients: np.ndarray) -> np.ndarray:
    """Standard deviation of the MFCC's derivative (zeros where a window is too short for one)."""
    if coefficients.shape[1] < DELTA_WIDTH:
        return np.zeros(len(coefficients), np.float32)
    return delta(coefficients).std(axis=1)


def _key(chroma: np.ndarray) -> Iterator[np.ndarray]:
    """Correlation with the 24 key profiles; then the best, and the best major less the best minor.

    The algorithm of Krumhansl and Schmuckler (1990) on the mean chroma of shape (12,); zeros
    for a window without pitch.
    """
    centred = chroma - chroma.mean()
    length = np.linalg.norm(centred)
    fit = np.zeros(24)
    if length > 1e-6:
        fit = _key_profiles() @ (centred / length)
    yield fit
    yield np.array([fit.max(), fit[:12].max() - fit[12:].max()])


@lru_cache(maxsize=1)
def _key_profiles() -> np.ndarray:
    """Profiles of the 12 major, then the 12 minor keys: zero mean, unit length, shape (24, 12)."""
    rows = np.array([np.roll(mode, tonic) for mode in (MAJOR, MINOR) for tonic in range(12)])
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _rhythm(onsets: np.ndarray, frames_per_s: float) -> Iterator[np.ndarray]:
    """Tempo, pulse clarity, onset rate, and the rhythm profile from an onset envelope.

    All but the onset rate come from the envelope's autocorrelation, normalised to 1 at lag 0: pulse
    clarity is its highest value at a beat period (Lartillot et al. 2008), the profile its highest
    value in each band of tempi. The tempo is the one whose period and next three multiples
    correlate best (a regular click at 120 bpm also correlates at 60, but less often).
    """
    import librosa
    from scipy.signal import find_peaks

    centred = onsets - onsets.mean()
    lags = min(len(onsets), 1 + round(ONSET_MEMORY_S * frames_per_s))
    correlation = librosa.autocorrelate(centred, max_size=lags)
    energy = correlation[0]
    correlation = correlation / energy if energy > 1e-6 else np.zeros(lags)

    periods = 60.0 * frames_per_s / TEMPI_BPM
    at_multiples = np.stack(
        [np.interp(m * periods, np.arange(lags), correlation, right=0.0) for m in range(1, 5)]
    )
    preference = np.exp(-0.5 * np.log2(TEMPI_BPM / TEMPO_CENTRE_BPM) ** 2)
    comb = np.maximum(at_multiples.mean(axis=0), 0.0) * preference
    tempo = TEMPI_BPM[comb.argmax()] if comb.any() else TEMPO_CENTRE_BPM
    peaks, _ = find_peaks(onsets, height=onsets.mean() + onsets.std())
    yield np.array([tempo, max(at_multiples[0].max(), 0.0)])
    yield np.array([len(peaks) * frames_per_s / len(onsets)])
    yield at_multiples[0].reshape(RHYTHM_BANDS, TEMPI_PER_BAND).max(axis=1)


def _contrast(magnitude: np.ndarray, config: LogMel) -> np.ndarray:
    """Spectral contrast (Jiang et al. 2002) of shape (CONTRAST_BANDS + 1, n_frames).

    Rows of octaves beyond half the sample rate, or narrower than two bins, are zero.
    """
    import librosa

    lowest = max(CONTRAST_LOWEST_HZ, 2 * config.sample_rate_hz / config.n_fft)
    octaves = 1 + int(np.log2(0.49 * config.sample_rate_hz / lowest))
    octaves = min(octaves, CONTRAST_BANDS)
    rows = np.zeros((CONTRAST_BANDS + 1, magnitude.shape[1]))
    rows[: octaves + 1] = librosa.feature.spectral_contrast(
        S=magnitude, sr=config.sample_rate_hz, n_fft=config.n_fft, n_bands=octaves, fmin=lowest
    )
    return rows


@lru_cache(maxsize=4)
def _chroma_filters(config: LogMel) -> np.ndarray:
    from librosa.filters import chroma

    return chroma(sr=config.sample_rate_hz, n_fft=config.n_fft, tuning=0.0)
