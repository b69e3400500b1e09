"""musicnn in PyTorch against the original in TensorFlow, from the same samples.

The original needs Python 3.7 and an environment of its own:

    python3.7 -m venv original
    original/bin/pip install tensorflow==1.15 "numpy<1.17" librosa==0.7.2 numba==0.48 \\
        "protobuf<3.21"
    original/bin/pip install --no-deps musicnn==0.1.0

Then, with this project's Python where it says `python`:

    python tests/benchmarks/musicnn_original.py samples FOLDER SONG.mp3 ...
    original/bin/python tests/benchmarks/musicnn_original.py original FOLDER
    python tests/benchmarks/musicnn_original.py compare FOLDER

`samples` decodes the first minute of every song, and makes a synthetic signal; `compare` prints the
largest differences, and keeps what the original gave for that signal under tests/data.
"""

import shutil
import sys
from pathlib import Path

import numpy as np

RATE_HZ = 16000
LONGEST_S = 60
SYNTHETIC = "synthetic"
KEPT = Path(__file__).resolve().parents[1] / "data" / "musicnn_original.npz"


def synthetic():
    """Seven seconds of a rising tone over noise, float32 of shape (112000,)."""
    time_s = np.arange(7 * RATE_HZ) / RATE_HZ
    noise = np.random.RandomState(0).uniform(-0.1, 0.1, len(time_s))
    return (0.5 * np.sin(2 * np.pi * (100 + 250 * time_s) * time_s) + noise).astype(np.float32)


def samples(folder, songs):
    from songatlas.corpus.sound.decode import decode

    np.save(folder / (SYNTHETIC + ".npy"), synthetic())
    for song in map(Path, songs):
        np.save(folder / (song.stem + ".npy"), decode(song, RATE_HZ)[: LONGEST_S * RATE_HZ])


def original(folder):
    """What the original gives for every patch, in the order of `features/encoders/musicnn`."""
    import librosa
    from musicnn import extractor

    for path in sorted(folder.glob("*.npy")):
        held = np.load(path)
        librosa.load = lambda _, sr, held=held: (held, sr)
        patches, _ = extractor.batch_data(str(path), 187, 187)
        (msd, msd_tags), (mtt, mtt_tags) = (run(name, patches) for name in ("MSD", "MTT"))
        np.savez(path.with_suffix(".npz"), values=np.hstack([msd, mtt, msd_tags, mtt_tags]))


def run(name, patches):
    """Penultimate units and tags, (p, 200) and (p, 50). The original's own extractor is not asked:
    it gives the first patch's units for the later patches too."""
    import musicnn
    import tensorflow as tf
    from musicnn import models

    tf.compat.v1.reset_default_graph()
    with tf.name_scope("model"):
        x = tf.compat.v1.placeholder(tf.float32, [None, 187, 96])
        training = tf.compat.v1.placeholder(tf.bool)
        outputs = models.define_model(x, training, name + "_musicnn", 50)
        wanted = [outputs[-1], tf.nn.sigmoid(outputs[0])]
    with tf.compat.v1.Session() as session:
        weights = Path(musicnn.__file__).parent / (name + "_musicnn")
        tf.compat.v1.train.Saver().restore(session, str(weights) + "/")
        found = [session.run(wanted, {x: patch[None], training: False}) for patch in patches]
    return [np.vstack(part) for part in zip(*found)]  # noqa: B905 - not in Python 3.7


def compare(folder):
    from songatlas.features.encoders.musicnn import LAYERS
    from songatlas.features.encoders.musicnn.song import Musicnn
    from songatlas.features.encoders.wheels import checked_wheel

    network = Musicnn(checked_wheel("musicnn"))
    ends = np.cumsum([dim for _, dim in LAYERS])[:-1]
    for path in sorted(folder.glob("*.npz")):
        theirs = np.load(path)["values"]
        ours = network.embed_song(np.load(path.with_suffix(".npy"))).values
        parts = np.split(np.abs(ours - theirs).max(axis=0), ends)
        said = [f"{name} {part.max():.1e}" for (name, _), part in zip(LAYERS, parts, strict=True)]
        print(f"{path.stem}: {len(theirs)} patches: {', '.join(said)}")
    KEPT.parent.mkdir(exist_ok=True)
    shutil.copyfile(folder / (SYNTHETIC + ".npz"), KEPT)


if __name__ == "__main__":
    step, where, *rest = sys.argv[1:]
    arguments = [rest] if step == "samples" else []
    {"samples": samples, "original": original, "compare": compare}[step](Path(where), *arguments)
