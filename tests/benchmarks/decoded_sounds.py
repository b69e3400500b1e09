"""How near decoded sounds are to the songs: error of the spectrogram, agreement of the onsets.

    python tests/benchmarks/decoded_sounds.py results/demo conv_vae <folder of songs>

Of 20 windows of 10 s of the folder's songs: the log-mel error in dB of the sound of their exact
spectrogram, at the run's settings and at the defaults. Of 20 windows of the run, each of another
song: the same, and how well onsets agree (F-measure within 50 ms) between the song and the sound of
its exact spectrogram, of the model's reconstruction and, by chance, of another song's.
"""

import sys
import time
from pathlib import Path

import numpy as np
import torch
import yaml
from librosa.onset import onset_detect

from songatlas import tables
from songatlas.corpus.sound.decode import decode_windows
from songatlas.features.audio.logmel import log_mel
from songatlas.config.features import LogMel
from songatlas.corpus.listing import AUDIO_SUFFIXES
from songatlas.report.explorer.sound_list import SOUND_S
from songatlas.training.data import prepare, read_inputs
from songatlas.latents.decode import decode, waveforms
from songatlas.training.weights import load_weights

WINDOWS = 20
TOLERANCE_S = 0.05

torch.set_num_threads(1)


def exact_error(name: str, samples: np.ndarray, config: LogMel) -> np.ndarray:
    """Print the error of the sounds of exact spectrograms; the sounds, (n, samples)."""
    exact = log_mel(samples, config)
    begun_s = time.process_time()
    sounds = waveforms(exact, config)
    each_s = (time.process_time() - begun_s) / len(samples)
    again = log_mel(sounds, config)
    error_db = np.abs(again - exact[:, :, : again.shape[2]]).mean((1, 2))
    print(
        f"{name}: mean {error_db.mean():.2f} dB, worst of {len(samples)} {error_db.max():.2f} dB, "
        f"{each_s:.2f} s of one core each"
    )
    return sounds


def onsets(samples: np.ndarray, rate_hz: int) -> np.ndarray:
    """Times of onsets in seconds."""
    return np.asarray(onset_detect(y=samples, sr=rate_hz, units="time", hop_length=256))


def f_measure(reference: np.ndarray, found: np.ndarray) -> float:
    """Of onsets that are matched one to one within `TOLERANCE_S`; both sorted."""
    matched, at = 0, 0
    for one in reference:
        while at < len(found) and found[at] < one - TOLERANCE_S:
            at += 1
        if at < len(found) and found[at] <= one + TOLERANCE_S:
            matched, at = matched + 1, at + 1
    return 2 * matched / max(1, len(reference) + len(found))


def windows_of_folder(folder: Path, rate_hz: int) -> np.ndarray:
    """`WINDOWS` windows of `SOUND_S`, spread over the songs of a folder."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in AUDIO_SUFFIXES)
    each = -(-WINDOWS // len(paths))
    starts_s = [30.0 + 30.0 * number for number in range(each)]
    cut = [decode_windows(path, rate_hz, starts_s, SOUND_S) for path in paths[:WINDOWS]]
    return np.concatenate([np.stack(list(one)) for one in cut])[:WINDOWS].astype(np.float32)


def main(run: Path, name: str, folder: Path) -> None:
    config = LogMel(**yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))["logmel"])
    rate_hz = config.sample_rate_hz
    songs = windows_of_folder(folder, rate_hz)
    exact_error("songs of the folder, as the run has it", songs, config)
    exact_error("songs of the folder, by default", songs, LogMel(sample_rate_hz=rate_hz))

    model, description = load_weights(run / "models" / name / "seed-0" / "weights.ckpt")
    assert model is not None, description.note
    table = run / "corpus" / "views" / "audio_windows.parquet"
    files = {"windows": table, "logmel": sorted((run / "features" / "logmel").glob("part-*"))}
    windows, _ = read_inputs(files, description.spec)
    starts = tables.read(run / "corpus" / "windows.parquet", tables.WINDOWS).set_index("window_id")
    paths = tables.read(run / "corpus" / "tracks.parquet", tables.TRACKS).set_index("track_id")
    _, first = np.unique(windows.track_ids, return_index=True)
    rows = first[:WINDOWS] + 1  # the second window of each song
    originals = np.stack(
        [
            next(iter(decode_windows(
                paths.loc[windows.track_ids[row], "audio_path"], rate_hz,
                [starts.loc[windows.window_ids[row], "start_s"]], SOUND_S,
            )))
            for row in rows
        ]
    ).astype(np.float32)  # fmt: skip
    exact = exact_error("songs of the run", originals, config)
    with torch.inference_mode():
        z = model.embed(prepare(windows.batch(rows))).numpy()
    db = decode(model, windows, z, rows)
    own = windows.mel[rows].float().numpy()
    print(f"reconstruction by {name}: mean {np.abs(db - own).mean():.2f} dB")
    decoded = waveforms(db[:, :, : config.n_frames(SOUND_S)], config)
    reference = [onsets(one, rate_hz) for one in originals]
    for what, sounds in (
        ("exact spectrogram", exact),
        ("reconstruction", decoded),
        ("reconstruction of another song", np.roll(decoded, 1, axis=0)),
    ):
        found = [onsets(one, rate_hz) for one in sounds]
        scores = np.array([f_measure(*pair) for pair in zip(reference, found, strict=True)])
        spread = 1.96 * scores.std(ddof=1) / np.sqrt(len(scores))
        number = np.mean([len(one) for one in found])
        print(f"onsets, {what}: F {scores.mean():.2f} ± {spread:.2f}, {number:.0f} a window")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
