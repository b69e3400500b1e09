"""Songatlas: from raw songs and lyrics to a comparison of representations.

`snakemake --cores 8 --resources gpu=1` runs the embedded demo; `config/README.md` lists every key.
"""

import os
import sys

from snakemake.utils import min_version

min_version("9.27")

sys.path.insert(0, f"{workflow.basedir}/scripts")

import time
from pathlib import Path

from snakemake.logging import logger
from snakemake.settings.types import ExecMode

from songatlas.run import running
from songatlas.errors import SongatlasError
from songatlas.plan.forecast import Forecast, MinutesLeft
from songatlas.run.jobs import QUIET
from songatlas.plan.preflight import preflight
from songatlas.report.ending import ending
from songatlas.report.failed import failures
from songatlas.report.stage_times import seconds_of_stages, stage_times
from songatlas.plan.corpus_files import DEMO_SEED
from songatlas.plan.workflow import Plan

running.lend_library()


# From this folder whatever the working directory is: without it no model would be declared.
configfile: f"{workflow.basedir}/config/config.yaml"


report: "rules/captions/workflow.rst"


# Jobs are processes of their own: they learn from the environment what was asked of this one.
quiet = workflow.output_settings is not None and bool(workflow.output_settings.quiet)
if quiet:
    os.environ[QUIET] = "1"


try:
    plan = Plan(config, workflow.configfiles)
    if workflow.exec_mode == ExecMode.DEFAULT:
        running.refuse_older(Path(plan.results))
        plan.query_model  # so that a name that cannot answer is said before any job
        plan.corpus_listing  # so that a folder that is no corpus is said before any job, too
except SongatlasError as error:
    # Any exception would be shown with the place in this file, which the user has not to mend.
    logger.error(str(error))
    sys.exit(1)


# Not in the processes of a cluster's jobs, which parse this file too.
if workflow.exec_mode == ExecMode.DEFAULT:
    for line in running.before_start(plan.config.run):
        logger.warning(line)


if plan.config.compute.container:

    container: plan.config.compute.container


wildcard_constraints:
    model="[A-Za-z0-9][A-Za-z0-9_-]*",
    seed=r"\d+",
    shard=r"\d+",


include: "rules/common.smk"
include: "rules/corpus.smk"
include: "rules/features.smk"
include: "rules/training.smk"
include: "rules/latents.smk"
include: "rules/clustering.smk"
include: "rules/evaluation.smk"
include: "rules/words.smk"
include: "rules/new_songs.smk"
include: "rules/report.smk"
include: "rules/study.smk"
include: "rules/run.smk"


rule all:
    default_target: True
    input:
        *all_tables(),
        *all_figures("svg"),
        *html_pages(),
        *([plan.path("report", "explorer")] if "explorer" in plan.config.targets else []),
        plan.card,
        plan.path("metrics.json"),


held = []
begun_s = time.time()


onstart:
    try:
        settings = plan.config.model_dump(mode="json")
        held.append(running.begin(plan.config.run, Path(plan.results), settings, os.environ))
        logger.info(preflight(plan, stages_to_write(workflow)))
        if workflow.resource_settings.cores:
            forecast = Forecast(
                plan, workflow.resource_settings.cores, lambda: jobs_left(workflow)
            )
            logger.info(forecast.first_lines())
            logger.addHandler(MinutesLeft(forecast, logger.info))
        for line in plan.dangers():
            logger.warning(line)
    except SongatlasError as error:
        logger.error(str(error))
        sys.exit(1)


onsuccess:
    for lock in held:
        lock.release()
    storage = workflow.storage_settings.default_storage_prefix
    targets = set(workflow.dag_settings.targets)
    # Whoever asks a finished run for songs reads the answer, not the run's table behind it.
    if not quiet and not (targets and targets <= {"query", "playlist", "playlists"}):
        stage_of_rule = {rule.name: Path(rule.snakefile).stem for rule in workflow.rules}
        benchmarks = Path(plan.path("benchmarks"))
        times = stage_times(seconds_of_stages(benchmarks, stage_of_rule, begun_s))
        print(
            ending(Path(plan.results), times)
            or (f"results  {storage}/{plan.results}" if storage else "")
        )


onerror:
    for lock in held:
        lock.release()
    failed = failures(log)  # Snakemake's own log files
    if failed:
        logger.error(failed)
