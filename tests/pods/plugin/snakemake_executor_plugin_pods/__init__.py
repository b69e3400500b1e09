"""An executor that gives every job what Kubernetes gives it, and no more.

As the plugin for Kubernetes it shares no file with its jobs: each starts in an empty folder and
fetches the workflow's sources and its inputs from the storage. Pods are folders of this machine.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator
from pathlib import Path

from snakemake_interface_executor_plugins.executors.base import SubmittedJobInfo
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor
from snakemake_interface_executor_plugins.jobs import JobExecutorInterface
from snakemake_interface_executor_plugins.settings import CommonSettings

common_settings = CommonSettings(
    non_local_exec=True,
    implies_no_shared_fs=True,
    job_deploy_sources=True,
    pass_default_storage_provider_args=True,
    pass_default_resources_args=True,
    pass_envvar_declarations_to_cmd=False,
    # A pod would install it where the image lacks it; here no package index may be asked.
    auto_deploy_default_storage_provider=False,
)


class Executor(RemoteExecutor):
    def __post_init__(self) -> None:
        self.folder = Path(os.environ["SONGATLAS_PODS"])

    def run_job(self, job: JobExecutorInterface) -> None:
        pod = Path(tempfile.mkdtemp(prefix=f"{job.name}-", dir=self.folder))
        with (pod.parent / f"{pod.name}.log").open("wb") as log:
            process = subprocess.Popen(
                ["/bin/sh", "-c", self.format_job_exec(job)],
                cwd=pod,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.envvars()},
            )
        self.report_job_submission(SubmittedJobInfo(job, aux={"process": process}))

    async def check_active_jobs(
        self, active_jobs: list[SubmittedJobInfo]
    ) -> AsyncGenerator[SubmittedJobInfo, None]:
        for info in active_jobs:
            code = info.aux["process"].poll()
            if code is None:
                yield info
            elif code == 0:
                self.report_job_success(info)
            else:
                self.report_job_error(info)
        await asyncio.sleep(0)

    def cancel_jobs(self, active_jobs: list[SubmittedJobInfo]) -> None:
        for info in active_jobs:
            info.aux["process"].terminate()

    def get_python_executable(self) -> str:
        return sys.executable
