"""Settings of the operator."""

from __future__ import annotations

from pydantic import Field

from bgjobs_core.settings import CommonSettings
from bgjobs_operator.loops.launch import IN_FLIGHT


class OperatorSettings(CommonSettings):
    """From the environment, with the prefix BGJOBS_."""

    pod_name: str = Field(default="operator", description="Who we are, for the Lease.")
    lease_name: str = "bgjobs-operator"
    api_url: str = Field(default="http://bgjobs-api", description="Where the pods of jobs find the API.")
    health_host: str = Field(default="0.0.0.0", description="The kubelet asks from outside the pod.")  # noqa: S104
    health_port: int = 8081
    kube_jobs_seconds: float = Field(default=600, ge=0, description="How long KubeJobs of ended jobs are kept.")
    launch_in_flight: int = Field(default=IN_FLIGHT, ge=1, le=500, description="How many KubeJobs are created at once.")
