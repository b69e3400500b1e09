"""Run the job that makes a file of a finished run again, in this process, to look into it.

    make debug JOB=results/demo/scores/conv_vae/seed-0.parquet [PDB=1] [WRITE=1]

The job's own script runs with the inputs and parameters that Snakemake would give it. Its outputs
go to a scratch folder that is named at the end; with --write to where they belong. With --pdb an
error opens the debugger where it was raised; `breakpoint()` works everywhere.
"""

import argparse
import os
import pdb
import runpy
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

from songatlas.errors import SongatlasError
from songatlas.files import PROJECT
from songatlas.run.jobs import UNCAUGHT
from songatlas.run.running import begun_with


def job_of(file: str, config: Any, snakefile: Path = PROJECT / "Snakefile") -> Any:
    """The Snakemake job that makes `file`, in a workflow with `config`.

    Raises:
        SongatlasError: when no script makes it, or the run's corpus is not finished.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.exceptions import RuleException, WorkflowError
    from snakemake.settings.types import (
        ConfigSettings,
        DAGSettings,
        OutputSettings,
        Quietness,
        RerunTrigger,
        ResourceSettings,
    )

    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL}, dryrun=True)) as api:
        # Only what Snakemake prints needs its DAG so far: there is no public way to a job.
        read = api.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=ConfigSettings(config=config),
            snakefile=snakefile,
        )
        # What a change of code would run again stays as it is: the change is to be looked at.
        settings = DAGSettings(targets={file}, rerun_triggers=frozenset({RerunTrigger.MTIME}))
        workflow = read.dag(settings).workflow_api._workflow
        workflow._prepare_dag(forceall=False, ignore_incomplete=True, lock_warn_only=True)
        try:
            workflow._build_dag()
        except (RuleException, WorkflowError) as error:
            raise SongatlasError(f"{file}: {error}") from None
        if any(job.is_checkpoint for job in workflow.dag.needrun_jobs()):
            raise SongatlasError(f"{file}: the run's corpus is not finished; type the run again")
        for job in workflow.dag.jobs:
            if file in job.output:
                if job.rule.script is None:
                    raise SongatlasError(f"{file}: the rule {job.rule.name} runs no script")
                return job
    raise SongatlasError(f"{file}: no rule of this run makes it")


def snakemake_of(job: Any, scratch: Path | None) -> Any:
    """The object that the job's script reads; outputs and log below `scratch`, if one is given."""
    from snakemake.iocontainers import Log, OutputFiles
    from snakemake.script import Snakemake

    def placed(path: Any) -> str:
        there = Path(str(path)) if scratch is None else scratch / str(path)
        there.parent.mkdir(parents=True, exist_ok=True)
        return str(there)

    return Snakemake(
        job.input,
        OutputFiles(toclone=job.output, custom_map=placed),
        job.params,
        job.wildcards,
        job.threads,
        job.resources,
        Log(toclone=job.log, custom_map=placed),
        job.rule.workflow.config,
        job.rule.name,
        None,
        scriptdir=str(script_of(job).parent),
    )


def script_of(job: Any) -> Path:
    """The job's entry script."""
    folder = Path(str(job.rule.basedir.get_path_or_uri(secret_free=False)))
    return (folder / job.rule.script).resolve()


def debug(file: str, *, with_pdb: bool, write: bool) -> None:
    """Run the job that makes `file`, and say where what it made lies.

    Raises:
        SongatlasError: when `file` is of no run, or no script makes it.
    """
    parts = Path(file).parts
    config = begun_with(parts[1]) if parts[:1] == ("results",) and len(parts) > 2 else None
    if config is None:
        raise SongatlasError(f"{file}: is of no run here; give a file as results/<run>/...")
    job = job_of(file, config)
    scratch = None if write else Path(tempfile.mkdtemp(prefix=f"{job.rule.name}-"))
    os.environ[UNCAUGHT] = "1"
    try:
        runpy.run_path(str(script_of(job)), {"snakemake": snakemake_of(job, scratch)})
    except Exception:
        traceback.print_exc()
        if with_pdb:
            pdb.post_mortem(sys.exc_info()[2])
        sys.exit(1)
    print(f"{job.rule.name} wrote", *job.output, sep="\n  ")
    if scratch is not None:
        print(f"below {scratch}; the run's own files are as they were")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="a file that a job of a run has made")
    parser.add_argument("--pdb", action="store_true", help="open the debugger at an error")
    parser.add_argument("--write", action="store_true", help="write to where the outputs belong")
    arguments = parser.parse_args()
    try:
        debug(arguments.file, with_pdb=arguments.pdb, write=arguments.write)
    except SongatlasError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
