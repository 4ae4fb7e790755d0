"""Settings of the operator."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_settings import NoDecode

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
    allowed_pod_features: Annotated[frozenset[str], NoDecode] = Field(
        default=frozenset(), description="What the pods of queues may have besides, separated by spaces."
    )
    kueue: bool = Field(default=False, description="Whether queues may send their KubeJobs through Kueue.")
    launch_in_flight: int = Field(default=IN_FLIGHT, ge=1, le=500, description="How many KubeJobs are created at once.")

    @field_validator("allowed_pod_features", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        return frozenset(value.split()) if isinstance(value, str) else value
