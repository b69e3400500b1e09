"""Words that a listener would use for descriptors of the sound."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Descriptor:
    """An entry of the descriptors that has a plain name.

    `low` and `high` are words for songs that have little and much of it.
    """

    entry: str
    label: str
    unit: str
    low: str
    high: str


DESCRIPTORS = (
    Descriptor("tempo_bpm", "Tempo", "bpm", "slow", "fast"),
    Descriptor("centroid_hz_mean", "Brightness", "Hz", "dark", "bright"),
    # Not loudness: decibels averaged over frames are low where a song has gaps, however loud it is.
    Descriptor("rms_db_mean", "Mean level", "dB", "low-mean-level", "high-mean-level"),
    Descriptor("rms_db_sd", "Dynamics", "dB", "even", "dynamic"),
    Descriptor("onset_rate_hz", "Onsets", "per s", "sparse", "busy"),
    Descriptor("pulse_clarity", "Pulse clarity", "0 to 1", "loose-beat", "steady-beat"),
    Descriptor("key_mode", "Mode", "minor to major", "minor", "major"),
    Descriptor("key_clarity", "Key clarity", "correlation", "vague-key", "clear-key"),
    Descriptor("zero_crossing_rate_mean", "Noisiness", "crossings", "smooth", "noisy"),
)


def known_descriptors(names: Sequence[str]) -> tuple[Descriptor, ...]:
    """Those of `DESCRIPTORS` that a feature has, in their order."""
    return tuple(item for item in DESCRIPTORS if item.entry in names)
