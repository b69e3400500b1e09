"""False-alarm rates that `assign` and `drift` reach on songs like a run's, and what they detect.

    python tests/benchmarks/assign_rates.py --json docs/scaling.json --folder FOLDER \\
        demo=results/corpora/demo jamendolyrics=PATH ultrastar=PATH

Songs of a corpus are dealt at random, again and again, to a run (which scale and distances are
fitted on) and to new songs: every flag is a false alarm. Then whole languages, genres, another
corpus and noise are the new songs: every flag is right. Representations are the two baselines that
nothing has to be trained for.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

from songatlas.config.corpus import Windows
from songatlas.config.features import LogMel
from songatlas.features.vectors.representations import song_means
from songatlas.features.vectors.representations import read_vectors
from songatlas.new_songs.drift_table import drift
from songatlas.new_songs.novelty import full_conformal, needed, split_conformal
from songatlas.new_songs.songs import read_songs

KINDS = {"mean_mel": "logmel", "descriptors": "descriptors"}
RATES = (0.05, 0.1, 0.2)
NEIGHBOURS = 5
WINDOWS = Windows(length_s=10.0, hop_s=7.5)
SETTINGS = {
    "logmel": LogMel(n_mels=64, hop_length=1024).model_dump(),
    "length_s": WINDOWS.length_s,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", nargs="+", help="reader=path")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="where features are kept")
    parser.add_argument("--splits", type=int, default=200)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    paths = dict(item.split("=", 1) for item in arguments.corpora)
    corpora = {name: songs(name, path, arguments.folder) for name, path in paths.items()}
    noise = noise_songs(arguments.folder)
    real = [part for name, part in corpora.items() if name != "demo"]
    sets = {"real": pd.concat(real, ignore_index=True)} if real else {}
    sets |= {"demo": corpora["demo"]} if "demo" in corpora else {}
    found: dict[str, object] = {"splits": arguments.splits, "neighbours": NEIGHBOURS}
    for name, frame in sets.items():
        others = {"noise": noise} | {key: part for key, part in sets.items() if key != name}
        found[name] = {kind: rates(frame, others, kind, arguments.splits) for kind in KINDS}
    known = json.loads(arguments.json.read_text()) if arguments.json.is_file() else {}
    known["assign"] = found
    arguments.json.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    print(json.dumps(found, indent=2))


def songs(name: str, path: str, folder: Path) -> pd.DataFrame:
    """One row per song: labels, and the mean of its windows in each representation."""
    scratch = folder / name
    scratch.mkdir(exist_ok=True)
    none = pd.DataFrame({"track_id": [], "source_id": []}, dtype=str)
    read = read_songs(name, path, none, scratch, dict.fromkeys(KINDS.values(), SETTINGS), WINDOWS)
    assert read.corpus is not None
    track = read.corpus.windows.set_index("window_id")["track_id"]
    labels = read.corpus.labels.set_index("track_id")
    for kind, feature in KINDS.items():
        vectors = read_vectors(kind, [read.features[feature]])
        raw = np.concatenate(list(vectors.blocks())).astype(np.float64)
        ids, means = song_means(raw, [track[i] for i in vectors.ids], rescale=False)
        labels[kind] = pd.Series(list(means), index=ids)
    return labels.dropna(subset=list(KINDS)).reset_index()


def noise_songs(folder: Path) -> pd.DataFrame:
    """Twelve songs of white and brown noise at several levels."""
    audio = folder / "noise-audio" / "en" / "noise"
    audio.mkdir(parents=True, exist_ok=True)
    for number in range(12):
        rng = np.random.default_rng(number)
        signal = rng.standard_normal(22050 * 40)
        if number % 2:
            signal = np.cumsum(signal - signal.mean())
            signal /= np.abs(signal).max() * 2
        gain = 0.05 * (1 + number % 4)
        soundfile.write(audio / f"{number:02d}.wav", np.clip(gain * signal, -1, 1), 22050)
    return songs("folder", str(folder / "noise-audio"), folder)


def rates(
    frame: pd.DataFrame, others: dict[str, pd.DataFrame], kind: str, splits: int
) -> dict[str, object]:
    """False alarms over random splits, and detections of what was left out."""
    z = np.stack(list(frame[kind]))
    n = len(z)
    new_songs = max(4, n // 5)
    alarms: dict[str, list[float]] = {}
    drifted = []
    for split in range(splits):
        order = np.random.default_rng(split).permutation(n)
        new, run = order[:new_songs], order[new_songs:]
        for key, p in p_values(z[run], z[new]).items():
            alarms.setdefault(key, []).append(p)
        drifted.append(drift_p(z[run], z[new]))
    found: dict[str, object] = {"songs": n, "new_songs": new_songs, "run_songs": n - new_songs}
    calibration = {"all": n - new_songs, "held_out": (n - new_songs) // 2}
    found["calibration_songs"] = calibration
    found["false_alarms"] = {
        key: summary(np.stack(p), calibration[key]) for key, p in alarms.items()
    }
    found["drift_false_alarms_0.05"] = {
        key: float(np.mean([p[key] <= 0.05 for p in drifted])) for key in drifted[0]
    }
    detected = {}
    for label in ("language", "genre"):
        for value, part in frame.groupby(label):
            rest = frame[frame[label] != value]
            if len(part) >= 2 and len(rest) >= 8:
                detected[f"{label} {value} left out"] = (rest, part)
    detected |= {name: (frame, part) for name, part in others.items()}
    found["detected"] = {
        name: detection(np.stack(list(rest[kind])), np.stack(list(part[kind])))
        for name, (rest, part) in detected.items()
    }
    return found


def scaled(run: np.ndarray, *more: np.ndarray) -> list[np.ndarray]:
    mean, scale = run.mean(axis=0), run.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    return [(z - mean) / scale for z in (run, *more)]


def p_values(run: np.ndarray, new: np.ndarray) -> dict[str, np.ndarray]:
    """By `assign.calibrate_on`; of held-out songs there are as many as of the others.

    As in a run, scale is fitted on all of its songs; for `held_out` on those not held out.
    """
    every, fresh = scaled(run, new)
    half = len(run) // 2
    known, out, later = scaled(run[half:], run[:half], new)
    found = {
        "all": full_conformal(every, fresh, NEIGHBOURS, 0.2).p,
        "held_out": split_conformal(known, out, later, NEIGHBOURS, 0.2).p,
    }
    return {key: p for key, p in found.items() if p is not None}


def summary(p: np.ndarray, calibration: int) -> dict[str, float | None]:
    """Share of flags per stated rate, p of shape (splits, new songs); None where none can be."""
    return {
        f"{rate:g}": float((p <= rate).mean()) if calibration >= needed(rate) else None
        for rate in RATES
    }


def drift_p(run: np.ndarray, new: np.ndarray) -> dict[str, float]:
    """p of the drift by `assign.calibrate_on`."""
    every, fresh = scaled(run, new)
    found = {}
    for key, known in (("all", every), ("held_out", every[: len(run) // 2])):
        p = drift(known, fresh, 199).p
        assert p is not None
        found[key] = p
    return found


def detection(run: np.ndarray, new: np.ndarray) -> dict[str, object]:
    """Share of new songs flagged per stated rate, and p of the drift."""
    order = np.random.default_rng(0).permutation(len(run))
    calibration = {"all": len(run), "held_out": len(run) // 2}
    flags = {
        key: {
            f"{rate:g}": float((p <= rate).mean()) if calibration[key] >= needed(rate) else None
            for rate in RATES
        }
        for key, p in p_values(run[order], new).items()
    }
    return {"new_songs": len(new), "flagged": flags, "drift_p": drift_p(run[order], new)}


if __name__ == "__main__":
    main()
