"""`descriptors`: statistics of timbre, harmony and rhythm of windows."""

from typing import TYPE_CHECKING, Any

from songatlas.config.feature_registry import Feature, Job, Kind, flat

if TYPE_CHECKING:
    from songatlas.config.run import Config

MOST_VALUES = 512
"""Per window, at most."""


def settings(config: "Config") -> dict[str, Any]:
    return {
        "logmel": config.logmel.model_dump(),
        "length_s": config.windows.length_s,
        "excerpts": config.excerpts,
    }


def write(job: Job) -> str:
    """Write one shard's part (see `features.audio.descriptors.write_descriptors`)."""
    from songatlas.config.features import LogMel
    from songatlas.features.audio.descriptors import write_descriptors

    return write_descriptors(
        job.inputs["shard"],
        job.outputs["part"],
        job.settings["length_s"],
        LogMel(**job.settings["logmel"]),
        job.outputs["rejects"],
        job.outputs["warnings"],
        job.settings.get("excerpts"),
    )


FEATURES = (
    Feature(
        name="descriptors",
        title="Descriptors",
        reads="audio",
        key="window_id",
        row_bytes=lambda config, name: 4 * MOST_VALUES,
        write=write,
        settings=settings,
        read_as="descriptors",
        environment="audio",
    ),
)

KINDS = {"descriptors": Kind("descriptors", flat, width=155)}
