"""What a caller may say about a job: every field is spelled here, and nowhere else.

A request to the API, a `BackgroundJobRequest`, a stored record and the job that the API shows all embed these models.
So the JSON bodies, the OpenAPI document, the custom resource, the digest that makes asking twice the same as asking
once, and the form in Redis follow from them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Protocol, Self, TypedDict

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from bgjobs import trace
from bgjobs.protocol import MAX_RETRY_AFTER_SECONDS
from bgjobs.vocabulary import UniqueMode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.retry_rules import RetryPolicy

CLASS_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+$"
# A class or a module by its exact name, or all that is in a package: `shop.jobs.*`.
CODE_PATTERN: Final = r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*\.([A-Za-z_][A-Za-z0-9_]*|\*)$"
METHOD_PATTERN: Final = r"^[A-Za-z][A-Za-z0-9_]*$"
_LABEL: Final = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_DAY: Final = 86400
MAX_UNIQUE_SECONDS: Final = 7 * _DAY
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
_Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.@/]*[A-Za-z0-9])?$", max_length=63)]
ConcurrencyKey = _Key
UniqueKey = _Key
JobKey = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
ExceptionName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$", max_length=200)
]
ExceptionNames = Annotated[list[ExceptionName], Field(max_length=20)]
PauseSeconds = Annotated[float, Field(ge=0, le=MAX_RETRY_AFTER_SECONDS, allow_inf_nan=False)]
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


def _has_unique_key(mode: UniqueMode | None, info: ValidationInfo) -> UniqueMode | None:
    if mode is not None and "unique_key" in info.data and info.data["unique_key"] is None:
        raise PydanticCustomError("without_key", "can only be given with a unique_key")
    return mode


def _is_of_ignore(seconds: int | None, info: ValidationInfo) -> int | None:
    is_ignore = info.data.get("unique_mode") is UniqueMode.IGNORE
    if seconds is not None and not is_ignore and "unique_mode" in info.data:
        raise PydanticCustomError("other_mode", "can only be given with the unique_mode ignore")
    if seconds is None and is_ignore:
        raise PydanticCustomError("needed", "must be a number of seconds with the unique_mode ignore")
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


RETRY_FIELDS: Final = ("retry_on", "abort_on", "backoff_seconds", "backoff_cap_seconds")


class EnqueueOptions(TypedDict, total=False):
    """What a program may say about a job besides the call itself, as keywords of `enqueue` and `run_background_job`.

    Attributes:
        queue: the name of a queue in the job's namespace; default: `default`.
        namespace: the job's namespace; default: that of the client, else that of the caller's ServiceAccount.
        max_retries: how many more attempts may follow a failed one; default: what the queue says.
        timeout_seconds: how long one attempt may take; default: what the queue says.
        retry: a `RetryPolicy`: after which exceptions the job is tried again, and when; default: what its class or
            method says.
        expires_after_seconds: it is cancelled unless it has begun to start so many seconds after it was asked for;
            default: it waits however long it takes. For a moment: `(moment - datetime.now(UTC)).total_seconds()`.
        image: an image that the queue's `images` allow; default: the queue's own image.
        concurrency_key: whose work it is, such as a customer's name; jobs of different keys take turns in their queue.
        unique_key: a name for the work, such as `report-2026`: of a namespace, one job at a time has it, as long as
            that job waits or runs. The handle's `unique` says what has happened.
        unique_mode: what happens if another job has the key: `"return"` (the default) gives that one, `"replace"`
            cancels it if it waits and makes the new one, `"ignore"` makes none for a time either.
        unique_for_seconds: this time, with `"ignore"` alone: a whole number of seconds, from when the other one was
            made.
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
    retry: RetryPolicy | None
    expires_after_seconds: float | None
    image: str | None
    concurrency_key: str | None
    unique_key: str | None
    unique_mode: Literal["return", "replace", "ignore"] | None
    unique_for_seconds: int | None
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
    unique_key: UniqueKey | None = Field(
        default=None,
        description="A name for the work, such as report-2026. Of a namespace, one job at a time has it, as long as "
        "that job waits or runs.",
    )
    unique_mode: Annotated[UniqueMode | None, AfterValidator(_has_unique_key)] = Field(
        default=None,
        description="What happens if another job has the unique key. If it is absent or `return`, no job is made, and "
        "that one is the answer; `replace` cancels that one if it waits, and makes the new one; `ignore` makes no job "
        "for a time either.",
    )
    unique_for_seconds: Annotated[int | None, AfterValidator(_is_of_ignore)] = Field(
        default=None,
        ge=1,
        le=MAX_UNIQUE_SECONDS,
        strict=True,
        validate_default=True,
        description="With `ignore` alone, and needed there: for how many seconds after the job was made no other one "
        "is made with its unique key.",
    )
    labels: Labels = Field(
        default_factory=dict[str, str],
        description="At most 16, in the syntax of labels of Kubernetes. The KubeJob and its pods get them too, with "
        "`label.bgjobs.dev` in their keys.",
    )
    retry_on: ExceptionNames | None = Field(
        default=None,
        description="At most 20 names of classes of exceptions, such as `ConnectionError` or "
        "`requests.exceptions.Timeout`: after one of these, or one that derives from it, another attempt may follow, "
        "and after any other one the job has failed. If absent, after all. If one of the four fields for exceptions is "
        "there, they take the place of the rules that the job's code has.",
    )
    abort_on: ExceptionNames = Field(
        default_factory=list[str],
        description="At most 20 such names: after one of these the job has failed, even if another attempt could "
        "follow otherwise.",
    )
    backoff_seconds: PauseSeconds | None = Field(
        default=None,
        description="How long the next attempt waits after an exception; it follows in the same pod. If absent, "
        "Kubernetes starts it, in a new one; if the longest wait alone is there, it is 1.",
    )
    backoff_cap_seconds: PauseSeconds | None = Field(
        default=None,
        description="The longest wait: it is doubled after each attempt, up to this. If absent, it stays as it is.",
    )
    traceparent: TraceParent | None = Field(
        default=None,
        description="The trace that the job belongs to, in the form of W3C Trace Context. Job code finds it as "
        "`current_job().traceparent` and in the environment as TRACEPARENT.",
    )

    @property
    def retry_rules(self) -> dict[str, Any] | None:
        """What it says of exceptions, as `retry_rules.policy_of_call` reads it; None if it says nothing."""
        said = {name: getattr(self, name) for name in RETRY_FIELDS}
        rules = {name: value for name, value in said.items() if value is not None and (name != "abort_on" or value)}
        return rules or None

    @property
    def retry_words(self) -> str:
        """The same for people: `only after ConnectionError; waits 1 s, doubled up to 60 s`; "" if it says nothing."""
        words: list[str] = []
        if self.retry_on is not None:
            words.append(f"only after {', '.join(self.retry_on)}" if self.retry_on else "after no exception")
        if self.abort_on:
            words.append(f"never after {', '.join(self.abort_on)}")
        first, cap = self.backoff_seconds, self.backoff_cap_seconds
        if cap is not None:
            words.append(f"waits {1.0 if first is None else first:g} s, doubled up to {cap:g} s")
        elif first is not None:
            words.append(f"waits {first:g} s" if first else "at once")
        return "; ".join(words)

    def again(self) -> Self:
        """The spec of a job that runs this one again: due at once, in no trace, and in the image of its queue then.

        It keeps the unique key; whatever its mode, a job that is run again neither replaces one nor is ignored.
        """
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
