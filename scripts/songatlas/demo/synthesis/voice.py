"""Speech from espeak-ng, driven through the shared library that `espeakng_loader` carries."""

import ctypes
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from songatlas.demo.synthesis.grid import SAMPLE_RATE_HZ, Samples
from songatlas.errors import SongatlasError

SYNCHRONOUS = 2
UTF8 = 1
POSITION_CHARACTER = 1
RATE, VOLUME, PITCH, RANGE = 1, 2, 3, 4

RATES_WPM = (80, 450)
"""Speaking rates that espeak-ng renders without its own time compression."""

ESPEAK_LANGUAGES = {"ar": "ar", "en": "en-us", "hi": "hi", "es": "es"}


@dataclass(frozen=True)
class Variant:
    """How a variant of espeak-ng responds to its pitch parameter, measured on level tones.

    Speech at parameter 50 has `hz`; the logarithm of the tone relative to that is
    `spread * polynomial(parameter - 50)`, within 15 cents for most variants and 45 for all.
    """

    gender: str
    hz: float
    spread: float


VARIANTS = {
    "f1": Variant("female", 159.7, 1.045),
    "f4": Variant("female", 160.5, 1.062),
    "steph": Variant("female", 173.1, 1.163),
    "linda": Variant("female", 213.2, 1.148),
    "Andrea": Variant("female", 221.9, 1.104),
    "belinda": Variant("female", 213.2, 1.147),
    "m1": Variant("male", 82.4, 1.047),
    "m3": Variant("male", 90.8, 1.000),
    "m4": Variant("male", 80.0, 0.978),
    "m7": Variant("male", 89.7, 0.945),
    "Gene": Variant("male", 85.2, 1.065),
    "pedro": Variant("male", 90.0, 1.040),
}
"""Only variants without breath noise: espeak-ng draws that from the process's own `rand()`."""

PITCHES = np.arange(100)
LOG_TONES = np.polyval([-6.54e-08, 1.71e-05, 0.01084, 0.0], PITCHES - 50)


class VoiceError(SongatlasError):
    """espeak-ng cannot be used."""


class Voice:
    """One singer: an espeak-ng language and variant.

    The library keeps state between utterances (phases, noise) that no call resets, so every `Voice`
    opens a private copy of it: what it says depends on what it has said before and on nothing else.

    Raises:
        VoiceError: when the library or its data cannot be opened, or the voice is unknown.
    """

    def __init__(self, language: str, variant: str) -> None:
        import espeakng_loader

        self.variant = VARIANTS[variant]
        name = f"{ESPEAK_LANGUAGES[language]}+{variant}"
        library = Path(espeakng_loader.get_library_path())
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            try:
                self._espeak = ctypes.CDLL(shutil.copy(library, folder))
            except OSError as error:
                raise VoiceError(
                    f"{library}: espeak-ng cannot be opened ({error}); reinstall the package "
                    "espeakng-loader, or use another `corpus` than demo on this platform"
                ) from None
        data = str(espeakng_loader.get_data_path())
        rate = self._espeak.espeak_Initialize(SYNCHRONOUS, 0, data.encode(), 0)
        if rate != SAMPLE_RATE_HZ:
            raise VoiceError(
                f"{data}: espeak-ng starts with sample rate {rate}, expected {SAMPLE_RATE_HZ}; "
                "reinstall the package espeakng-loader"
            )
        self._chunks: list[np.ndarray] = []
        kind = ctypes.CFUNCTYPE(
            ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
        )
        self._callback = kind(self._receive)  # kept: the library holds only a bare pointer to it
        self._espeak.espeak_SetSynthCallback(self._callback)
        if self._espeak.espeak_SetVoiceByName(name.encode()) != 0:
            raise VoiceError(
                f"{data}: espeak-ng has no voice `{name}`; reinstall the package espeakng-loader"
            )

    def _receive(self, samples: "ctypes._Pointer[ctypes.c_short]", n: int, _: int) -> int:
        if samples and n > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, (n,)).copy())
        return 0

    def say(self, text: str, rate_wpm: float, pitch: float = 50, pitch_range: int = 0) -> Samples:
        """Speak `text`; silence at both ends is cut off.

        `pitch` (0 to 99) and `pitch_range` (0: level tone, 50: natural) are espeak-ng's own scales.
        Samples lie in [-1, 1] and are normalised to an RMS of 0.1 where there is sound.
        """
        low, high = RATES_WPM
        for parameter, value in (
            (RATE, round(min(max(rate_wpm, low), high))),
            (PITCH, round(min(max(pitch, 0), 99))),
            (RANGE, pitch_range),
            (VOLUME, 80),
        ):
            self._espeak.espeak_SetParameter(parameter, value, 0)
        self._chunks.clear()
        encoded = text.encode()
        status = self._espeak.espeak_Synth(
            encoded, ctypes.c_size_t(len(encoded) + 1), 0, POSITION_CHARACTER, 0, UTF8, None, None
        )
        self._espeak.espeak_Synchronize()
        if status != 0 or not self._chunks:
            raise VoiceError(f"espeak-ng says nothing for `{text}` (status {status})")
        sound = np.concatenate(self._chunks).astype(np.float64) / 32768.0
        loud = np.flatnonzero(np.abs(sound) > 0.01)
        if not len(loud):
            raise VoiceError(f"espeak-ng is silent for `{text}`")
        sound = sound[loud[0] : loud[-1] + 1]
        return sound * (0.1 / np.sqrt(np.mean(sound**2)))

    def pitch_near(self, hz: float) -> tuple[int, float]:
        """The pitch parameter whose level tone is nearest to `hz`, and that tone in Hz."""
        tones = self.variant.hz * np.exp(self.variant.spread * LOG_TONES)
        nearest = int(np.argmin(np.abs(np.log(tones / hz))))
        return nearest, float(tones[nearest])
