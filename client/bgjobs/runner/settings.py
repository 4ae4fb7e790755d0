"""What the launcher tells the runner, and how patient the runner is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bgjobs.errors import ConfigurationError
from bgjobs.protocol import (
    ENV_JOB_ID,
    ENV_KUBE_UID,
    ENV_NAMESPACE,
    ENV_POD_NAME,
    ENV_POD_UID,
    ENV_TOKEN_FILE,
    ENV_URL,
    TERMINATION_MESSAGE_FILE,
    TOKEN_FILE,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

# The pod's terminationGracePeriodSeconds.
ENV_GRACE_SECONDS: Final = "BGJOBS_GRACE_SECONDS"
# Kubernetes reads the reason of a container's end from this file; another one is for where there is no pod.
ENV_TERMINATION_FILE: Final = "BGJOBS_TERMINATION_FILE"


# Folders that the job's code is imported from, and the supervisor's is not; not in a pod.
ENV_JOB_PATH: Final = "BGJOBS_JOB_PATH"
# The descriptor of a pipe that ends with the launcher (see `lifeline`); not in a pod.
ENV_LIFELINE: Final = "BGJOBS_LIFELINE_FD"


class Settings(NamedTuple):
    """Everything that differs from pod to pod; times are seconds.

    Attributes:
        grace: from SIGTERM until the kubelet kills everything.
        reserve: the last part of the grace, kept for shipping the log and saying how it ended.
        timeout_grace: from the SIGTERM of a timeout to SIGKILL, at most.
        patience: how long an API that does not answer is asked again.
        wait: how long a pod that was told to wait is held before it is given back to Kubernetes.
        wait_poll: between two questions while it waits.
        request: for one request to the API.
        lifeline: descriptor of a pipe that ends with the launcher; None in a pod.
    """

    url: str
    token_file: str
    namespace: str
    job_id: str
    kube_uid: str
    pod_uid: str
    pod_name: str
    termination_file: str = TERMINATION_MESSAGE_FILE
    grace: float = 30.0
    reserve: float = 5.0
    timeout_grace: float = 10.0
    patience: float = 60.0
    wait: float = 300.0
    wait_poll: float = 3.0
    request: float = 10.0
    lifeline: int | None = None

    @property
    def stop_grace(self) -> float:
        """From the SIGTERM of a stop to SIGKILL; of a short grace the child gets half."""
        return max(self.grace - self.reserve, self.grace / 2)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from a container's environment.

    Raises:
        ConfigurationError: naming the variables that the launcher should have set.
    """
    needed = (ENV_URL, ENV_NAMESPACE, ENV_JOB_ID, ENV_KUBE_UID, ENV_POD_UID, ENV_POD_NAME)
    missing = [name for name in needed if not environ.get(name)]
    if missing:
        raise ConfigurationError(f"{', '.join(missing)} not set; the launcher of bgjobs sets them")
    settings = Settings(
        url=environ[ENV_URL],
        token_file=environ.get(ENV_TOKEN_FILE) or TOKEN_FILE,
        namespace=environ[ENV_NAMESPACE],
        job_id=environ[ENV_JOB_ID],
        kube_uid=environ[ENV_KUBE_UID],
        pod_uid=environ[ENV_POD_UID],
        pod_name=environ[ENV_POD_NAME],
        termination_file=environ.get(ENV_TERMINATION_FILE) or TERMINATION_MESSAGE_FILE,
    )
    if lifeline := environ.get(ENV_LIFELINE):
        if not lifeline.isdecimal():
            raise ConfigurationError(f"{ENV_LIFELINE}={lifeline} is not the number of a descriptor")
        settings = settings._replace(lifeline=int(lifeline))
    grace = environ.get(ENV_GRACE_SECONDS)
    if not grace:
        return settings
    try:
        seconds = float(grace)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ConfigurationError(f"{ENV_GRACE_SECONDS}={grace} is not a number of seconds")
    return settings._replace(grace=seconds)
