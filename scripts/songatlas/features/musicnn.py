"""`musicnn`: what two pretrained taggers hear (Pons & Serra 2019), of windows and of whole songs.

Stored are both networks' penultimate layers and tag probabilities; baselines and models read the
layers, each network's at unit length, so that neither outweighs the other.
"""

from typing import TYPE_CHECKING, Any

from songatlas.config.feature_registry import Feature, Job, Kind, Pretrained
from songatlas.features.encoders import wheels
from songatlas.features.encoders.musicnn import LAYERS, SAMPLE_RATE_HZ, VALUES, tags

if TYPE_CHECKING:
    import numpy as np

    from songatlas.config.run import Config

PACKAGE = "musicnn"


def settings(config: "Config") -> dict[str, Any]:
    return {"length_s": config.windows.length_s, "excerpts": config.excerpts}


def missing() -> str | None:
    """Why there are no weights on this machine; None where there are."""
    if wheels.find_wheel(PACKAGE) is not None:
        return None
    return f"the weights of musicnn are not in {wheels.folder()}; {wheels.FETCH}"


def write(job: Job) -> str:
    """Write one shard's part and its songs.

    Raises:
        SongatlasError: when the wheel or a checkpoint in it is damaged.
    """
    from songatlas.features.audio.extract import SongFeature, write_song_feature
    from songatlas.features.encoders.musicnn.song import Musicnn, song_mean, window_means

    networks = Musicnn(wheels.checked_wheel(PACKAGE))
    excerpts = job.settings["excerpts"]
    feature = SongFeature(
        name="musicnn",
        shape=(VALUES,),
        dtype="float32",
        units="embedding, then probabilities",
        metadata={
            "layers": [list(layer) for layer in LAYERS],
            "tags": tags(),
            "weights": job.settings["weights"],
            "excerpts": excerpts,
        },
        hear=lambda blocks: networks.embed_song(blocks, excerpts),
        windows=lambda patches, starts_s: window_means(patches, starts_s, job.settings["length_s"]),
        song=song_mean,
        odd=lambda patches: "shorter than a patch of 3 s; repeated" if patches.repeated else None,
    )
    return write_song_feature(feature, job.inputs["shard"], job.outputs, SAMPLE_RATE_HZ)


def vectors(values: "np.ndarray") -> "np.ndarray":
    """Both penultimate layers of (n, VALUES), each at unit length: (n, 400) float64."""
    import numpy as np

    layers = values[:, :400].astype(np.float64).reshape(len(values), 2, 200)
    length = np.linalg.norm(layers, axis=2, keepdims=True)
    return (layers / np.where(length > 0, length, 1.0)).reshape(len(values), 400)


FEATURES = (
    Feature(
        name="musicnn",
        title="musicnn",
        reads="audio",
        key="window_id",
        row_bytes=lambda config, name: 4 * VALUES,
        write=write,
        settings=settings,
        songs=True,
        pretrained=Pretrained(
            title="musicnn (MSD and MTT)",
            trained_on="Last.fm tags of 200,000 songs of the Million Song Dataset and listeners' "
            "tags of 19,000 clips of MagnaTagATune",
            licence="ISC",
            citation="Pons & Serra 2019, arXiv:1909.06654",
            parameters=1_574_318,
            supervision="elsewhere",
        ),
        weights=lambda: wheels.identity(PACKAGE),
        missing=missing,
    ),
)

KINDS = {"musicnn": Kind("musicnn", vectors, standardise=False, width=400)}
