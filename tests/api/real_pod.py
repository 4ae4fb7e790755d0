"""The real runner, started as in a pod, against an API that a test has put up."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class RealPod:
    """A pod of a job's KubeJob.

    Attributes:
        job_id: the job.
        folder: where its token, its code (`jobs_of_a_test.py`) and its termination message are.
    """

    job_id: str
    folder: Path
    suffix: str = "abcde"

    @property
    def name(self) -> str:
        return f"bgjob-{self.job_id}-{self.suffix}"

    @property
    def uid(self) -> str:
        return f"uid-{self.suffix}"

    def start(self, url: str, token: str, code: str) -> subprocess.Popen[str]:
        """Start the supervisor; its stdout and stderr are pipes."""
        (self.folder / "token").write_text(token)
        (self.folder / "jobs_of_a_test.py").write_text(code)
        (self.folder / "termination-log").touch()
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(self.folder),
            "BGJOBS_URL": url,
            "BGJOBS_TOKEN_FILE": str(self.folder / "token"),
            "BGJOBS_NAMESPACE": "shop",
            "BGJOBS_JOB_ID": self.job_id,
            "BGJOBS_KUBE_UID": "kube-uid",
            "BGJOBS_POD_UID": self.uid,
            "BGJOBS_POD_NAME": self.name,
            "BGJOBS_TERMINATION_FILE": str(self.folder / "termination-log"),
        }
        return subprocess.Popen(
            [sys.executable, "-m", "bgjobs.runner"],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, url: str, token: str, code: str) -> subprocess.CompletedProcess[str]:
        """Start the supervisor, and wait for its end."""
        with self.start(url, token, code) as process:
            out, err = process.communicate(timeout=180)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)
