"""`logmel`: log-mel spectrograms of windows, which most models and three kinds of baseline read."""

from typing import TYPE_CHECKING, Any

from songatlas.config.feature_registry import Feature, Job, Kind

if TYPE_CHECKING:
    import numpy as np

    from songatlas.config.run import Config


def row_bytes(config: "Config", name: str) -> int:
    """Of float16 (n_mels, n_frames)."""
    return 2 * config.logmel.n_mels * config.logmel.n_frames(config.windows.length_s)


def settings(config: "Config") -> dict[str, Any]:
    return {"logmel": config.logmel.model_dump(), "length_s": config.windows.length_s}


def write(job: Job) -> str:
    """Write one shard's part (see `features.audio.logmel.write_logmel`)."""
    from songatlas.config.features import LogMel
    from songatlas.features.audio.logmel import write_logmel

    return write_logmel(
        job.inputs["shard"],
        job.outputs["part"],
        job.settings["length_s"],
        LogMel(**job.settings["logmel"]),
        job.outputs["rejects"],
        job.outputs["warnings"],
    )


def standardised_spectrograms(logmel: "np.ndarray") -> "np.ndarray":
    """Log-mel of shape (b, n_mels, n_frames) in dB, each window to zero mean and unit variance.

    A constant window (silence) becomes zeros. Shape (b, n_mels * n_frames) float32.
    """
    from songatlas.features.audio.standardise import standardise

    return standardise(logmel).reshape(len(logmel), -1)


def mean_spectra(logmel: "np.ndarray") -> "np.ndarray":
    """Log-mel of shape (b, n_mels, n_frames) in dB, averaged over time: (b, n_mels) float32."""
    return logmel.mean(axis=2, dtype="float32")


FEATURES = (
    Feature(
        name="logmel",
        title="Log-mel spectrograms",
        reads="audio",
        key="window_id",
        row_bytes=row_bytes,
        write=write,
        settings=settings,
        read_as="mel",
    ),
)

KINDS = {
    "raw": Kind("logmel", standardised_spectrograms),
    "pca": Kind("logmel", standardised_spectrograms),
    "mean_mel": Kind("logmel", mean_spectra),
}
