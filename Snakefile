"""Songatlas: from raw songs and lyrics to a comparison of representations.

`snakemake --cores 8 --resources gpu=1` runs the embedded demo; `config/README.md` lists every key.
"""

import sys

from snakemake.utils import min_version

min_version("9.27")

sys.path.insert(0, f"{workflow.basedir}/scripts")

from pathlib import Path

from snakemake.logging import logger

from songatlas.errors import ConfigError
from songatlas.report.ending import ending
from songatlas.workflow import DEMO_SEED, FEATURE_OF_KIND, Plan


# From this folder whatever the working directory is: without it no model would be declared.
configfile: f"{workflow.basedir}/config/config.yaml"


report: "rules/captions/workflow.rst"


try:
    plan = Plan(config)
except ConfigError as error:
    # Any exception would be shown with the place in this file, which the user has not to mend.
    logger.error(str(error))
    sys.exit(1)


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
include: "rules/fusion.smk"
include: "rules/consensus.smk"
include: "rules/comparison.smk"
include: "rules/tables.smk"
include: "rules/disentanglement.smk"
include: "rules/figures.smk"
include: "rules/report.smk"
include: "rules/explorer.smk"
include: "rules/provenance.smk"


rule all:
    default_target: True
    input:
        *all_tables(),
        *all_figures("svg"),
        plan.card,
        plan.path("metrics.json"),


onsuccess:
    print(ending(Path(plan.results)))
