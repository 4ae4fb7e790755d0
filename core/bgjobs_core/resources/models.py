"""The custom resources, as models: `BackgroundJobRequest` and `BackgroundJobQueue` of bgjobs.dev/v1alpha1.

crds/ is generated from them (`make generate`), and the operator reads objects with them. Names are camelCase
in YAML. Everything has a bound, because the API server estimates the cost of CEL rules from it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from bgjobs.job_spec import Image, JobCall

GROUP: Final = "bgjobs.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
REQUESTS: Final = "backgroundjobrequests"
QUEUES: Final = "backgroundjobqueues"

ClassPattern = Annotated[
    str,
    StringConstraints(
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\.([A-Za-z_][A-Za-z0-9_]*|\*)$", max_length=253
    ),
]
Freeform = dict[str, Any]


class _Resource(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class RequestSpec(JobCall, frozen=True):
    """What is to be run. It cannot be changed once it is there."""

    model_config = ConfigDict(alias_generator=to_camel)


class Condition(_Resource):
    """As in Kubernetes."""

    type: Annotated[str, StringConstraints(max_length=100)]
    status: Annotated[str, StringConstraints(pattern="^(True|False|Unknown)$", max_length=7)]
    reason: Annotated[str, StringConstraints(max_length=100)]
    message: Annotated[str, StringConstraints(max_length=4096)] = ""
    last_transition_time: Annotated[str, StringConstraints(max_length=40)]


class RequestStatus(_Resource):
    """Written by the operator: the job's record, in short."""

    state: Annotated[str, StringConstraints(max_length=20)] | None = Field(default=None, description="As in the API.")
    phase: Annotated[str, StringConstraints(max_length=20)] | None = Field(
        default=None, description="How far it is, while its state is launched."
    )
    reason: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        default=None, description="Why it waits, or why it failed."
    )
    job_id: Annotated[str, StringConstraints(max_length=36)] | None = Field(
        default=None, description="Of the job, for the API and the command."
    )
    kube_job: Annotated[str, StringConstraints(max_length=63)] | None = Field(
        default=None, description="Name of the Job of Kubernetes that runs it."
    )
    attempt: int | None = Field(default=None, ge=0, description="Number of the latest attempt.")
    attempts: Annotated[str, StringConstraints(max_length=20)] | None = Field(
        default=None, description="Latest attempt and how many there may be, as 2/4."
    )
    observed_generation: int | None = Field(default=None, description="The generation that this is about.")
    started_at: Annotated[str, StringConstraints(max_length=40)] | None = Field(
        default=None, description="When its first attempt began."
    )
    finished_at: Annotated[str, StringConstraints(max_length=40)] | None = Field(
        default=None, description="When it ended, however it did."
    )
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(
        default_factory=list[Condition], description="Complete or Failed, once it has ended."
    )


class PriorityClasses(_Resource):
    """Which PriorityClass a pod gets."""

    low: Annotated[str, StringConstraints(max_length=253)] = Field(default="bgjobs-low", description="Of priority 0.")
    high: Annotated[str, StringConstraints(max_length=253)] = Field(default="bgjobs-high", description="Of priority 1.")


class Retention(_Resource):
    """How long what has ended is kept, in seconds."""

    records_seconds: int = Field(
        default=7 * 86400, ge=60, le=31622400, description="The record, with its parameters and result."
    )
    logs_seconds: int = Field(default=3 * 86400, ge=60, le=31622400, description="The logs of its attempts.")


class PodSettings(_Resource):
    """What a queue's pods get; plain Kubernetes fields, checked by the API server when a pod is made."""

    labels: Annotated[dict[str, str], Field(max_length=50)] = Field(default_factory=dict[str, str])
    annotations: Annotated[dict[str, str], Field(max_length=50)] = Field(default_factory=dict[str, str])
    service_account_name: Annotated[str, StringConstraints(max_length=253)] | None = None
    image_pull_policy: (
        Annotated[str, StringConstraints(pattern="^(Always|IfNotPresent|Never)$", max_length=12)] | None
    ) = None
    image_pull_secrets: Annotated[list[Freeform], Field(max_length=16)] = Field(default_factory=list[Freeform])
    env: Annotated[list[Freeform], Field(max_length=200)] = Field(default_factory=list[Freeform])
    env_from: Annotated[list[Freeform], Field(max_length=50)] = Field(default_factory=list[Freeform])
    volumes: Annotated[list[Freeform], Field(max_length=50)] = Field(default_factory=list[Freeform])
    volume_mounts: Annotated[list[Freeform], Field(max_length=50)] = Field(default_factory=list[Freeform])
    resources: Freeform = Field(default_factory=dict[str, Any])
    node_selector: Annotated[dict[str, str], Field(max_length=50)] = Field(default_factory=dict[str, str])
    tolerations: Annotated[list[Freeform], Field(max_length=50)] = Field(default_factory=list[Freeform])
    affinity: Freeform = Field(default_factory=dict[str, Any])
    security_context: Freeform = Field(
        default_factory=dict[str, Any], description="Laid over the restricted defaults of the pod."
    )


class QueueSpec(_Resource):
    """An administrator's object: how many jobs run at once, which code, as what."""

    max_concurrent: int = Field(default=10, ge=0, le=100000, description="Jobs that may hold a slot at the same time.")
    paused: bool = Field(default=False, description="No job is launched; running ones go on.")
    approved_classes: Annotated[list[ClassPattern], Field(max_length=500)] = Field(
        default_factory=list[ClassPattern], description="Exact names, or every class below a package as shop.jobs.*"
    )
    image: Image | None = Field(default=None, description="Image of the pods, built on the runner image.")
    images: Annotated[list[Image], Field(max_length=100)] = Field(
        default_factory=list[Image],
        description="Images that a request may choose, as patterns: registry.example/shop:*",
    )
    priority_classes: PriorityClasses = PriorityClasses()
    default_max_retries: int = Field(default=3, ge=0, le=100, description="Of jobs that do not say it.")
    default_timeout_seconds: float = Field(
        default=3600, gt=0, le=2592000, description="Of one attempt, for jobs that do not say it."
    )
    pending_deadline_seconds: int = Field(
        default=1800,
        ge=10,
        le=604800,
        description="A job whose code has not started by then is given up as never_started; for a further attempt it "
        "counts from when its pod was made.",
    )
    grace_seconds: int = Field(default=30, ge=0, le=3600, description="Between SIGTERM and SIGKILL.")
    retention: Retention = Retention()
    pod: PodSettings = PodSettings()


class QueueStatus(_Resource):
    """Written by the operator."""

    observed_generation: int | None = None
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(default_factory=list[Condition])
