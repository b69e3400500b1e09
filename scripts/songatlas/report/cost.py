"""What a collection of any size costs in hours and bytes, from measured rates.

    python -m songatlas.report.cost docs/scaling.json --songs 1000000 100000000

Everything is proportional: windows = songs x windows per song; hours of a stage = windows x passes
/ (windows per second x 3600); bytes = windows x bytes per window. Rates are those of the JSON, with
the device that they were measured on; nothing is assumed of another one (`--speedup` says what a
reader knows of theirs).
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from songatlas.errors import SongatlasError

SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True)
class Rates:
    """Measured on one device: windows per second and bytes per window."""

    device: str
    windows_per_song: float
    hop_s: float
    train_windows_per_s: float
    embed_windows_per_s: float
    features_windows_per_s: float
    bytes_per_window: float
    latent_bytes_per_window: float


@dataclass(frozen=True)
class Cost:
    """Of one collection; hours are of one device (cores for features)."""

    songs: int
    windows: float
    feature_core_hours: float
    training_hours: float
    embedding_hours: float
    feature_bytes: float
    latent_bytes: float


def cost(rates: Rates, songs: int, *, epochs: int, models: int = 1, speedup: float = 1.0) -> Cost:
    """Hours and bytes of `songs` songs; training reads every window `epochs` times per model.

    `speedup`: how many times as fast as the measured device the one that trains and embeds is.
    """
    windows = songs * rates.windows_per_song

    def hours(per_s: float, passes: float = 1.0) -> float:
        return windows * passes / per_s / SECONDS_PER_HOUR

    return Cost(
        songs=songs,
        windows=windows,
        feature_core_hours=hours(rates.features_windows_per_s),
        training_hours=hours(rates.train_windows_per_s, epochs * models) / speedup,
        embedding_hours=hours(rates.embed_windows_per_s, models) / speedup,
        feature_bytes=windows * rates.bytes_per_window,
        latent_bytes=windows * models * rates.latent_bytes_per_window,
    )


def read_rates(path: str | Path, model: str) -> Rates:
    """The rates of one model from a file that `tests/benchmarks/scaling.py` wrote.

    Raises:
        SongatlasError: naming the number that is missing.
    """
    try:
        found: Mapping[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        rates = found["rates"]
        return Rates(
            device=rates["device"],
            windows_per_song=found["windows_per_song"],
            hop_s=rates["hop_s"],
            train_windows_per_s=rates[f"train_windows_per_s_{model}"],
            embed_windows_per_s=rates[f"embed_windows_per_s_{model}"],
            features_windows_per_s=rates["features_windows_per_s"],
            bytes_per_window=rates["bytes_per_window_logmel"],
            latent_bytes_per_window=rates["bytes_per_window_latent"],
        )
    except (OSError, ValueError) as error:
        raise SongatlasError(f"{path}: cannot be read ({error})") from None
    except KeyError as missing:
        raise SongatlasError(
            f"{path}: {missing} was not measured; run tests/benchmarks/scaling.py stream"
        ) from None


def table(costs: Sequence[Cost]) -> str:
    """The costs in Markdown."""
    head = (
        "| songs | windows | features (core-hours) | training (hours) | embedding (hours) "
        "| log-mel (TB) | latents (GB) |\n| ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n"
    )
    return head + "".join(
        f"| {item.songs:,} | {item.windows:,.0f} | {item.feature_core_hours:,.0f} "
        f"| {item.training_hours:,.0f} | {item.embedding_hours:,.0f} "
        f"| {item.feature_bytes / 1e12:,.2f} | {item.latent_bytes / 1e9:,.1f} |\n"
        for item in costs
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("rates", type=Path)
    parser.add_argument("--songs", type=int, nargs="+", default=[1_000_000, 100_000_000])
    parser.add_argument("--model", default="conv_vae", help="a model of the rates")
    parser.add_argument("--epochs", type=int, default=100, help="as `training.max_epochs`")
    parser.add_argument("--models", type=int, default=1, help="trainings: models times seeds")
    parser.add_argument("--speedup", type=float, default=1.0, help="of the reader's device")
    given = parser.parse_args(arguments)
    try:
        rates = read_rates(given.rates, given.model)
    except SongatlasError as error:
        parser.exit(1, f"{error}\n")
    print(f"Rates of {given.model} on {rates.device}; {given.epochs} epochs.\n")
    settings = {"epochs": given.epochs, "models": given.models, "speedup": given.speedup}
    print(table([cost(rates, songs, **settings) for songs in given.songs]), end="")


if __name__ == "__main__":
    main()
