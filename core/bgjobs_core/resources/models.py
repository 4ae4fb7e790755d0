"""The custom resources of bgjobs.dev/v1alpha1 as models: `BackgroundJobRequest` and `BackgroundJobQueue`.

`BackgroundJobSchedule` is in `schedules`.

crds/ is generated from them (`make generate`), and the operator reads objects with them. Names are camelCase
in YAML. Everything has a bound, because the API server estimates the cost of CEL rules from it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from bgjobs.job_spec import ClassPattern, Image, JobCall
from bgjobs.protocol import MAX_NEEDS
from bgjobs.vocabulary import OnParentFailure

GROUP: Final = "bgjobs.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = f"{GROUP}/{VERSION}"
REQUESTS: Final = "backgroundjobrequests"
QUEUES: Final = "backgroundjobqueues"
SCHEDULES: Final = "backgroundjobschedules"

# What the API server says to whoever would change the state in the status of a request whose job has ended.
ENDED_STAYS: Final = "the request says already how its job ended"

RequestName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=253)
]
# The name of a LocalQueue of Kueue, which is the value of a label, too.
KueueQueueName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", min_length=1, max_length=63)
]
Freeform = dict[str, Any]


class Resource(BaseModel):
    """A part of a custom resource."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)


class RequestSpec(JobCall, frozen=True):
    """What is to be run. Nothing of it but `paused` can be changed once it is there."""

    model_config = ConfigDict(alias_generator=to_camel)

    paused: bool = Field(
        default=False,
        description="Whether the job is held as long as it waits. A change is carried out once; what people do later "
        "by the API or the command holds.",
    )
    needs: Annotated[list[RequestName], Field(max_length=MAX_NEEDS, json_schema_extra={"uniqueItems": True})] = Field(
        default_factory=list[RequestName],
        description="Names of up to 100 requests of the same namespace whose jobs must end first. They may be created "
        "later: until then this one is no job, and says for which it waits.",
    )
    on_parent_failure: OnParentFailure = Field(
        default=OnParentFailure.CANCEL,
        description="What happens if one of them fails or is cancelled: cancel, or run all the same when all of them "
        "have ended.",
    )


class Condition(Resource):
    """As in Kubernetes."""

    type: Annotated[str, StringConstraints(max_length=100)]
    status: Annotated[str, StringConstraints(pattern="^(True|False|Unknown)$", max_length=7)]
    reason: Annotated[str, StringConstraints(max_length=100)]
    message: Annotated[str, StringConstraints(max_length=4096)] = ""
    last_transition_time: Annotated[str, StringConstraints(max_length=40)]


class RequestStatus(Resource):
    """Written by the operator: the job's record, in short."""

    state: Annotated[str, StringConstraints(max_length=20)] | None = Field(
        default=None,
        description="The state of the job, in the words of the API; `waiting` while it is no job yet; `returned` or "
        "`ignored` if no job was made because of its unique key.",
    )
    phase: Annotated[str, StringConstraints(max_length=20)] | None = Field(
        default=None, description="What is seen of the job while its state is launched."
    )
    reason: Annotated[str, StringConstraints(max_length=1024)] | None = Field(
        default=None, description="Why the job waits, or why it failed, in words."
    )
    job_id: Annotated[str, StringConstraints(max_length=36)] | None = Field(
        default=None,
        description="The id of the job in the API and the command; if no job was made because of its unique key, that "
        "of the one that has the key.",
    )
    kube_job: Annotated[str, StringConstraints(max_length=63)] | None = Field(
        default=None, description="Name of the Job of Kubernetes that runs the job."
    )
    attempt: int | None = Field(default=None, ge=0, description="The number of the latest attempt, from 1.")
    attempts: Annotated[str, StringConstraints(max_length=20)] | None = Field(
        default=None, description="The latest attempt and how many there may be, such as 2/4."
    )
    observed_generation: int | None = Field(
        default=None, description="The generation of the request that this status describes."
    )
    started_at: Annotated[str, StringConstraints(max_length=40)] | None = Field(
        default=None, description="When the first attempt began."
    )
    finished_at: Annotated[str, StringConstraints(max_length=40)] | None = Field(
        default=None, description="When the job ended, whatever its outcome."
    )
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(
        default_factory=list[Condition],
        description="Complete or Failed, once the job has ended; Unneeded, if no job was made because of its unique "
        "key; Admitted is False while it is no job yet.",
    )


class PriorityClasses(Resource):
    """Which PriorityClass a pod gets."""

    low: Annotated[str, StringConstraints(max_length=253)] = Field(
        default="bgjobs-low", description="For jobs of priority 0."
    )
    high: Annotated[str, StringConstraints(max_length=253)] = Field(
        default="bgjobs-high", description="For jobs of priority 1."
    )


class Retention(Resource):
    """How long what has ended is kept, in seconds."""

    records_seconds: int = Field(
        default=7 * 86400, ge=60, le=31622400, description="How long a record is kept, with its parameters and result."
    )
    logs_seconds: int = Field(
        default=3 * 86400, ge=60, le=31622400, description="How long the logs of attempts are kept."
    )


class PodSettings(Resource):
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
        default_factory=dict[str, Any], description="Fields that replace those of the restricted default of the pod."
    )


class StartRate(Resource):
    """So many starts in so many seconds, whenever one begins to count them."""

    starts: int = Field(ge=1, le=1000, description="How many jobs may start in that time.")
    seconds: int = Field(ge=1, le=86400, description="The time, which may be any one of this length.")


class QueueSpec(Resource):
    """An administrator's object: how many jobs run at once, which code, as what."""

    max_concurrent: int = Field(default=10, ge=0, le=100000, description="Jobs that may hold a slot at the same time.")
    max_concurrent_per_key: int | None = Field(
        default=None,
        ge=1,
        le=100000,
        description="Jobs of one concurrency key that may hold a slot at the same time. Jobs without a key are not "
        "counted.",
    )
    start_rate: StartRate | None = Field(
        default=None, description="How many jobs of the queue may start in a time; retries of a job are not counted."
    )
    start_rate_per_key: StartRate | None = Field(
        default=None, description="The same for each concurrency key. Jobs without a key are not counted."
    )
    paused: bool = Field(default=False, description="No job is launched; running ones go on.")
    approved_classes: Annotated[list[ClassPattern], Field(max_length=500)] = Field(
        default_factory=list[ClassPattern],
        description="Exact names of classes, and of modules with functions; or shop.* for all of them below a package.",
    )
    image: Image | None = Field(
        default=None, description="The image of the pods, which is built FROM the runner image."
    )
    images: Annotated[list[Image], Field(max_length=100)] = Field(
        default_factory=list[Image],
        description="Images that a request may choose, as patterns: registry.example/shop:*",
    )
    priority_classes: PriorityClasses = PriorityClasses()
    default_max_retries: int = Field(default=3, ge=0, le=100, description="For jobs that do not say how many.")
    default_timeout_seconds: float = Field(
        default=3600, gt=0, le=2592000, description="How long one attempt may take, for jobs that do not say it."
    )
    pending_deadline_seconds: int = Field(
        default=1800,
        ge=10,
        le=604800,
        description="A job whose code has not started by then is given up as never_started; for a further attempt it "
        "counts from when its pod was made.",
    )
    kueue_queue_name: KueueQueueName | None = Field(
        default=None,
        description="A LocalQueue of Kueue in this namespace, through which the KubeJobs of this queue go: they are "
        "made suspended, and start when Kueue admits them. It holds for KubeJobs that are made from now on, and "
        "pendingDeadlineSeconds counts from the admission.",
    )
    grace_seconds: int = Field(
        default=30,
        ge=0,
        le=3600,
        description="The time between SIGTERM and SIGKILL, and for how long threads of a job may go on when its method "
        "has returned.",
    )
    retention: Retention = Retention()
    pod: PodSettings = PodSettings()


class QueueStatus(Resource):
    """Written by the operator."""

    observed_generation: int | None = None
    conditions: Annotated[list[Condition], Field(max_length=8)] = Field(default_factory=list[Condition])
