"""The runner's settings: what the launcher tells it by environment variables, and how long it waits for what."""

from __future__ import annotations

from bgjobs.errors import ConfigurationError
from bgjobs.light_typing import TYPE_CHECKING, NamedTuple
from bgjobs.protocol import (
    ENV_JOB_ID,
    ENV_KUBE_UID,
    ENV_NAMESPACE,
    ENV_POD_NAME,
    ENV_POD_UID,
    ENV_SERIES_SECONDS,
    ENV_TOKEN_FILE,
    ENV_URL,
    TERMINATION_MESSAGE_FILE,
    TOKEN_FILE,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

# This variable has the pod's terminationGracePeriodSeconds.
ENV_GRACE_SECONDS: Final = "BGJOBS_GRACE_SECONDS"
# This variable names the file for the container's termination message, where it is not the one of Kubernetes.
ENV_TERMINATION_FILE: Final = "BGJOBS_TERMINATION_FILE"


# This variable has folders to import the job's code, but not the supervisor's, from. It is not set in a pod.
ENV_JOB_PATH: Final = "BGJOBS_JOB_PATH"
# This variable has the descriptor of a pipe that ends with the launcher (see `lifeline`). It is not set in a pod.
ENV_LIFELINE: Final = "BGJOBS_LIFELINE_FD"


class Settings(NamedTuple):
    """Everything that differs from pod to pod, and how long the runner waits for what; times are seconds.

    Attributes:
        url: where the API is.
        token_file: the file with the token to show to the API.
        namespace: the job's.
        job_id: the job's id.
        kube_uid: the UID of the KubeJob that this pod belongs to.
        pod_uid: the UID of this pod.
        pod_name: its name.
        termination_file: the file for the termination message.
        grace: from SIGTERM until the kubelet kills everything.
        reserve: the last part of the grace, in which the child is dead and its log and outcome are sent.
        timeout_grace: the longest time from the SIGTERM of a timeout to SIGKILL.
        patience: how long to ask an API that does not answer.
        result_patience: how long to offer it a result, which is nowhere else; less than the ten minutes that Kubernetes
            leaves a pod after its attempt's timeout.
        wait: how long a pod that was told to wait asks again before it exits and Kubernetes replaces it.
        wait_poll: between two questions while it waits.
        request: the timeout of one request to the API.
        series: within how long from its start the pod may run attempts, each with the whole of its timeout; 0: it runs
            only one, whatever the code asks for.
        lifeline: the descriptor of a pipe that ends with the launcher; None in a pod.
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
    result_patience: float = 300.0
    wait: float = 300.0
    wait_poll: float = 3.0
    request: float = 10.0
    series: float = 0.0
    lifeline: int | None = None

    @property
    def stop_grace(self) -> float:
        """Seconds from the SIGTERM of a stop to SIGKILL: the grace without the reserve, but at least half of it."""
        return max(self.grace - self.reserve, self.grace / 2)


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the settings from a container's environment.

    Raises:
        ConfigurationError: if a variable is missing or has a wrong value; the message names it.
    """
    needed = (ENV_URL, ENV_NAMESPACE, ENV_JOB_ID, ENV_KUBE_UID, ENV_POD_UID, ENV_POD_NAME)
    missing = [name for name in needed if not environ.get(name)]
    if missing:
        raise ConfigurationError(
            f"{', '.join(missing)} not set: bgjobs sets them in the pods of jobs, so do not start the runner by hand"
        )
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
            raise ConfigurationError(f"{ENV_LIFELINE}={lifeline} is not the number of a file descriptor")
        settings = settings._replace(lifeline=int(lifeline))
    return settings._replace(
        grace=_seconds(environ, ENV_GRACE_SECONDS, settings.grace),
        series=_seconds(environ, ENV_SERIES_SECONDS, settings.series),
    )


def _seconds(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ConfigurationError(f"{name}={text} is not a number of seconds")
    return seconds
