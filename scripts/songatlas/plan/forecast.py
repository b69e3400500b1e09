"""How long a run takes: rates that were measured, times the music that it has."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable

from songatlas.config import feature_registry as registry
from songatlas.plan.amounts import FULL_SIZE, Rate, amounts, rates, training_of
from songatlas.plan.workflow import Plan
from songatlas.training.control_notes import UNTRAINED

OTHERS = "every other job"
SHOWN = 4
"""Stages that are named; the others are summed."""

LEAST_S = 30.0
"""CPU seconds of finished jobs that say how this machine compares with the rates."""

SAY_EVERY_S = 20.0

Job = tuple[str, str | None]
"""A rule, and the model that its job is about."""


class Forecast:
    """Time that the jobs of a plan take on some cores, said before they start and after each."""

    def __init__(self, plan: Plan, cores: int, jobs_left: Callable[[], Iterable[Job]]) -> None:
        """`jobs_left` names the jobs that are still to run, as far as they are known."""
        self.plan, self.cores, self.jobs_left = plan, cores, jobs_left
        self.rates = rates()
        self.sharded = {"probe", "musical_time", *(one.name for one in registry.heard())}
        self.music = amounts(plan)
        self.started = time.monotonic()
        self.total_s = sum(self.stages().values())

    def stages(self) -> dict[str, float]:
        """CPU seconds of what is left, by rule; a training counts for its architecture."""
        jobs = Counter(self.jobs_left())
        if ("corpus", None) in jobs:
            jobs |= Counter(self._behind_the_corpus())
        elif not self.music.known:
            self.music = amounts(self.plan)
        seconds: Counter[str] = Counter()
        for job, number in jobs.items():
            name = self._name(job)
            rate = self.rates.get(name, self.rates[OTHERS])
            shown = name if name in self.rates else OTHERS
            seconds[shown] += number * self._limited(job, rate)  # type: ignore[assignment]
        return dict(seconds)

    def first_lines(self) -> str:
        """About how long it takes, and what takes the most of it."""
        stages = self.stages()
        ranked = sorted(stages.items(), key=lambda stage: -stage[1])
        named = [(name, cpu_s) for name, cpu_s in ranked if name != OTHERS][:SHOWN]
        rest_s = sum(stages.values()) - sum(cpu_s for _, cpu_s in named)
        parts = [f"{name} {_minutes(cpu_s / self.cores)}" for name, cpu_s in named]
        parts.append(f"the rest {_minutes(rest_s / self.cores)}")
        total = _minutes(sum(stages.values()) / self.cores)
        music = f"{self.music.songs:,} songs, {self.music.hours:.1f} h of music"
        guess = "" if self.music.known else " by the sizes of their files"
        return f"time: about {total} on {self.cores} cores ({music}{guess}): {', '.join(parts)}"

    def left(self) -> str:
        """About how long what is left takes, by how long the finished jobs took."""
        left_s = sum(self.stages().values())
        done_s = self.total_s - left_s
        wall_s = left_s / self.cores
        if done_s >= LEAST_S:
            wall_s *= (time.monotonic() - self.started) * self.cores / done_s
        return f"about {_minutes(wall_s)} left"

    def _behind_the_corpus(self) -> dict[Job, int]:
        """Jobs that are known only once the corpus is."""
        plan = self.plan
        features = {(name, None): len(plan.parts(name)) for name in plan.features}
        return features | {("train", name): len(plan.config.seeds) for name in plan.models}

    def _name(self, job: Job) -> str:
        rule, model = job
        if rule == "train" and model is not None:
            return training_of(self.plan.config.models[model])
        excerpts = self.plan.config.excerpts and f"{rule} of excerpts" in self.rates
        return f"{rule} of excerpts" if excerpts else rule

    def _limited(self, job: Job, rate: Rate) -> float:
        """CPU seconds of one job, no more than a training's time limit."""
        rule, model = job
        if rule == "decoded_sounds":
            return self.plan.decoded_s / len(self.plan.decoded)
        if rule != "train" or model is None:
            shards = len(self.plan.shards) if rule in self.sharded else 1
            return rate.job_s + rate.each_s * self._amount(rate.per) / shards
        training = self.plan.config.training_for(model)
        untrained = self.plan.config.models[model].control == UNTRAINED
        epochs = 0 if untrained else training.max_epochs
        seconds = rate.job_s + rate.each_s * self._amount(rate.per) * epochs
        return min(seconds, 60 * (training.max_minutes or float("inf")))

    def _amount(self, per: str) -> float:
        """Of what a rate is per, how much the corpus has."""
        music, config = self.music, self.plan.config
        frames = config.logmel.n_frames(config.windows.length_s)
        return {
            "": 0.0,
            "hour": music.hours,
            "song": music.songs,
            "window": music.windows,
            "spectrogram": music.windows * config.logmel.n_mels * frames / FULL_SIZE,
        }[per]


class MinutesLeft(logging.Handler):
    """Says, behind Snakemake's own line of steps done, how long what is left takes."""

    def __init__(self, forecast: Forecast, say: Callable[[str], None]) -> None:
        super().__init__()
        self.forecast, self.say, self.said_at = forecast, say, time.monotonic()

    def emit(self, record: logging.LogRecord) -> None:
        """At most every `SAY_EVERY_S`, so that small jobs do not say it each."""
        due = time.monotonic() - self.said_at >= SAY_EVERY_S
        if getattr(record, "event", None) == "progress" and due:
            self.said_at = time.monotonic()
            self.say(self.forecast.left())


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds / 10)) * 10} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
