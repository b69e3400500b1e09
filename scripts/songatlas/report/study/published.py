"""What the reference study published: read from `resources/published/`, nowhere else."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from songatlas.errors import SongatlasError
from songatlas.files import PROJECT

FOLDER = PROJECT / "resources" / "published"

SUMMARY_METRICS = (
    "silhouette",
    "ari",
    "nmi",
    "v_measure",
    "calinski_harabasz",
    "davies_bouldin",
)
"""The six scores of the study, in the order of its columns."""

SUMMARY_COLUMNS = (
    "model",
    "task",
    *(f"{metric}_{part}" for metric in SUMMARY_METRICS for part in ("mean", "std")),
)

COLUMNS = {
    "published_clustering_summary": SUMMARY_COLUMNS,
    "published_method_analysis": ("method", "silhouette_mean", "ari_mean", "nmi_mean"),
    "published_task_analysis": ("task", "n_samples", "avg_ari", "avg_nmi", "avg_silhouette"),
    "published_training": ("model", "epochs", "validation_loss", "parameters"),
    "published_best": ("task", "metric", "value", "model", "algorithm"),
    "published_dataset": ("language", "genre", "songs"),
    "published_splits": ("split", "songs", "windows"),
    "names": ("published", "name"),
}
"""Columns that each file must have."""


@dataclass(frozen=True)
class Published:
    """The study's tables as they are in the files; `names` maps our names to the study's."""

    summary: pd.DataFrame
    methods: pd.DataFrame
    tasks: pd.DataFrame
    training: pd.DataFrame
    best: pd.DataFrame
    dataset: pd.DataFrame
    splits: pd.DataFrame
    names: dict[str, str]

    def called(self, name: str) -> str:
        """What the study calls a model of ours; its own name where the study has none such."""
        return self.names.get(name, name)

    @property
    def models(self) -> tuple[str, ...]:
        """Our names of the models that the study compared."""
        return tuple(self.names)


def read_published(folder: str | Path = FOLDER) -> Published:
    """Read every file of `folder`.

    Raises:
        SongatlasError: naming the file, when one is absent or lacks a column.
    """
    frames = {name: _read(Path(folder) / f"{name}.csv", names) for name, names in COLUMNS.items()}
    training = frames["published_training"]
    return Published(
        summary=frames["published_clustering_summary"],
        methods=frames["published_method_analysis"],
        tasks=frames["published_task_analysis"],
        training=training.assign(parameters=training["parameters"].map(millions)),
        best=frames["published_best"],
        dataset=frames["published_dataset"],
        splits=frames["published_splits"],
        names=dict(zip(frames["names"]["name"], frames["names"]["published"], strict=True)),
    )


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except FileNotFoundError:
        raise SongatlasError(f"{path}: no such file; restore it from the repository") from None
    missing = [column for column in columns if column not in frame]
    if missing:
        raise SongatlasError(f"{path}: lacks the column `{missing[0]}`; restore the file")
    return frame


def millions(text: object) -> float:
    """Number of parameters in millions from `5.5M`; NaN where there is none.

    Raises:
        SongatlasError: when the text is neither empty nor of that form.
    """
    if not isinstance(text, str):
        return float("nan")
    number = text.strip().removesuffix("M")
    try:
        if number == text.strip():
            raise ValueError
        return float(number)
    except ValueError:
        raise SongatlasError(f"published parameters `{text}` are not of the form 5.5M") from None
