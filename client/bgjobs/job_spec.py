"""What a caller may say about a job: every field is spelled here, and nowhere else.

A request to the API, a `BackgroundJobRequest`, a stored record and the job that the API shows all embed these models.
So the JSON bodies, the OpenAPI document, the custom resource, the digest that makes asking twice the same as asking
once, and the form in Redis follow from them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Protocol, Self, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo

from bgjobs import trace

if TYPE_CHECKING:
    from collections.abc import Sequence

CLASS_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$"
# A class or a module by its exact name, or all that is in a package: `shop.jobs.*`.
CODE_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\.([A-Za-z_][A-Za-z0-9_]*|\*)$"
METHOD_PATTERN: Final = r"^[A-Za-z][A-Za-z0-9_]*$"
_LABEL: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_DAY: Final = 86400
_MAX_LABELS: Final = 16
_LABEL_VALUE: Final = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
# The key of a label in the syntax of Kubernetes: a name, which may follow a domain and a slash, as `team` or
# `example.com/team`. It is a little shorter than Kubernetes allows, so that there is room for a domain of ours in it.
MAX_LABEL_KEY: Final = 236
LABEL_KEY: Final = (
    r"^(([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)*[a-z0-9]([-a-z0-9]*[a-z0-9])?/)?"
    r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$"
)

ClassName = Annotated[str, StringConstraints(pattern=CLASS_PATTERN, max_length=253)]
MethodName = Annotated[str, StringConstraints(pattern=METHOD_PATTERN, max_length=100)]
ClassPattern = Annotated[str, StringConstraints(pattern=CODE_PATTERN, max_length=253)]
LabelName = Annotated[str, StringConstraints(pattern=_LABEL, max_length=63)]
Image = Annotated[str, StringConstraints(min_length=1, max_length=500)]
ConcurrencyKey = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.@/]*[A-Za-z0-9])?$", max_length=63)
]
JobKey = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Parameters = list[Any] | dict[str, Any]
Priority = Annotated[int, Field(ge=0, le=1, strict=True)]
DelaySeconds = Annotated[float, Field(ge=0, le=366 * _DAY, allow_inf_nan=False)]
MaxRetries = Annotated[int, Field(ge=0, le=100)]
TimeoutSeconds = Annotated[float, Field(gt=0, le=30 * _DAY)]


def _label_keys(labels: dict[str, str]) -> dict[str, str]:
    for key in labels:
        if len(key) > MAX_LABEL_KEY or not re.fullmatch(LABEL_KEY, key):
            raise ValueError(
                f"{key[:MAX_LABEL_KEY]!r} is no key of a label: it must be a name of at most 63 letters, digits, '-', "
                "'_' and '.', which may follow a domain and a slash, such as team or example.com/team"
            )
    return labels


Labels = Annotated[
    dict[str, Annotated[str, StringConstraints(pattern=_LABEL_VALUE, max_length=63)]],
    Field(max_length=_MAX_LABELS),
    AfterValidator(_label_keys),
]


def _after_it_is_due(seconds: float | None, info: ValidationInfo) -> float | None:
    if seconds is not None and seconds <= info.data.get("delay_seconds", 0):
        raise ValueError("must be more than delay_seconds, or the job would expire before it is due")
    return seconds


def _is_traceparent(text: str) -> str:
    if wrong := trace.objection(text):
        raise ValueError(f"a traceparent {wrong}")
    return text


TraceParent = Annotated[str, StringConstraints(pattern=trace.PATTERN, max_length=55), AfterValidator(_is_traceparent)]


class HasId(Protocol):
    """A job or a batch by its id, such as a handle."""

    @property
    def id(self) -> str:
        """Its UUID."""
        ...


class EnqueueOptions(TypedDict, total=False):
    """What a program may say about a job besides the call itself, as keywords of `enqueue` and `run_background_job`.

    Attributes:
        queue: the name of a queue in the job's namespace; default: `default`.
        namespace: the job's namespace; default: that of the client, else that of the caller's ServiceAccount.
        max_retries: how many more attempts may follow a failed one; default: what the queue says.
        timeout_seconds: how long one attempt may take; default: what the queue says.
        expires_after_seconds: it is cancelled unless it has begun to start so many seconds after it was asked for;
            default: it waits however long it takes. For a moment: `(moment - datetime.now(UTC)).total_seconds()`.
        image: an image that the queue's `images` allow; default: the queue's own image.
        concurrency_key: whose work it is, such as a customer's name; jobs of different keys take turns in their queue.
        labels: at most 16 of them, in the syntax of labels of Kubernetes, such as `{"team": "billing"}`.
        traceparent: the trace that the job belongs to, in the form of W3C Trace Context; default: the one that the
            caller is in, if the program uses OpenTelemetry or is itself a job.
        id: a UUID of version 7 for the job; default: a new one. The same id sent again means the same job.
        key: a name of your own in place of an id, such as `invoice-2026-11`: in a namespace, the same key means the
            same job, for as long as that job is kept.
        needs: handles or ids of up to 100 jobs and batches of its namespace that must end first; they are there
            already.
        on_parent_failure: what happens if one of these fails or is cancelled: `"cancel"` (the default), or `"run"`,
            when all of them have ended.
    """

    queue: str
    namespace: str | None
    max_retries: int | None
    timeout_seconds: float | None
    expires_after_seconds: float | None
    image: str | None
    concurrency_key: str | None
    labels: dict[str, str] | None
    traceparent: str | None
    id: str | None
    key: str | None
    needs: Sequence[str | HasId] | None
    on_parent_failure: Literal["cancel", "run"] | None


class JobSpec(BaseModel, frozen=True):
    """A job as a caller asks for it, without its parameters, which are kept as JSON text that is never encoded again.

    A field that is None is left to the queue.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    queue: LabelName = Field(default="default", description="Name of a BackgroundJobQueue in the job's namespace.")
    cls: ClassName = Field(
        validation_alias="class",
        serialization_alias="class",
        description="Dotted name of a class that the queue approves, or of a module, for a function of it.",
    )
    method: MethodName = Field(
        description="A public method of the class, or a function of the module, called as method(*list) or "
        "method(**object)."
    )
    priority: Priority = Field(default=0, description="0 is low, 1 is high: high ones of a queue are launched first.")
    delay_seconds: DelaySeconds = Field(
        default=0, description="How many seconds after it was asked for the job becomes due."
    )
    max_retries: MaxRetries | None = Field(
        default=None, description="How many more attempts may follow a failed one; if absent, the queue's default."
    )
    timeout_seconds: TimeoutSeconds | None = Field(
        default=None, description="How many seconds one attempt may take; if absent, the queue's default."
    )
    expires_after_seconds: Annotated[float | None, AfterValidator(_after_it_is_due)] = Field(
        default=None,
        gt=0,
        le=367 * _DAY,
        allow_inf_nan=False,
        description="How many seconds after it was asked for the job is cancelled if it has no slot of its queue by "
        "then; more than delay_seconds. If absent, it waits however long it takes.",
    )
    image: Image | None = Field(
        default=None, description="An image that the queue's images allow; if absent, the queue's own image."
    )
    concurrency_key: ConcurrencyKey | None = Field(
        default=None,
        description="Whose work it is, such as a customer's name. Jobs of one queue and priority take turns by their "
        "keys, so that a key with many jobs does not hold up the others. Jobs without a key are like one more key.",
    )
    labels: Labels = Field(
        default_factory=dict[str, str],
        description="At most 16, in the syntax of labels of Kubernetes. The KubeJob and its pods get them too, with "
        "`label.bgjobs.dev` in their keys.",
    )
    traceparent: TraceParent | None = Field(
        default=None,
        description="The trace that the job belongs to, in the form of W3C Trace Context. Job code finds it as "
        "`current_job().traceparent` and in the environment as TRACEPARENT.",
    )

    def again(self) -> Self:
        """The spec of a job that runs this one again: due at once, in no trace, and in the image of its queue then."""
        return self.model_copy(update={"delay_seconds": 0.0, "image": None, "traceparent": None})


class CompleteSpec(JobSpec, frozen=True):
    """A spec in which the queue has decided what the caller left open."""

    max_retries: MaxRetries = Field(description="How many more attempts may follow a failed one.")
    timeout_seconds: TimeoutSeconds = Field(description="How many seconds one attempt may take.")


class JobCall(JobSpec, frozen=True):
    """A spec together with the parameters of the call."""

    parameters: Parameters = Field(
        default_factory=list[Any],
        description="The method's arguments: a list or an object; at most 256 KiB, integers of at most 64 bits.",
    )
