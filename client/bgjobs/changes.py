"""What may be different when a job is run again, and how it is applied: the same for a server and `bgjobs.testing`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field

from bgjobs import strict_json
from bgjobs.errors import Portable
from bgjobs.job_spec import DelaySeconds, LabelName, Labels, MaxRetries, Parameters, Priority, TimeoutSeconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bgjobs.job_spec import JobSpec

_Spec = TypeVar("_Spec", bound="JobSpec")
_PLACE: Final = re.compile(r"0|[1-9][0-9]{0,5}", re.ASCII)


class RerunChanges(TypedDict, total=False):
    """What is to be different in the new job, as keywords of `rerun`; what is left out, or None, stays as it was.

    Attributes:
        parameters: all of them anew: a list or tuple for `method(*parameters)`, a dict for `method(**parameters)`.
        set: some of them: `{1: 12}` by position, of which the first is 0, or `{"country": "de"}` by name.
        priority: 0 low, 1 high.
        queue: the name of another queue of the namespace.
        delay: seconds to wait before the new job becomes due; default: 0, whatever the old one's was.
        timeout_seconds: how long one attempt may take.
        max_retries: how many more attempts may follow a failed one.
        labels: all of them anew.
    """

    parameters: Sequence[Any] | Mapping[str, Any] | None
    set: Mapping[int, Any] | Mapping[str, Any] | None
    priority: int | None
    queue: str | None
    delay: float | None
    timeout_seconds: float | None
    max_retries: int | None
    labels: dict[str, str] | None


class UnfitChangeError(Portable, ValueError):
    """A change does not fit the job that is to be run again.

    Attributes:
        field: which one, as the API names it.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class JobChanges(BaseModel):
    """What is to be different in the new job; what is absent stays as it was."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    parameters: Parameters | None = Field(
        default=None, description="all parameters anew: a list or an object, as when a job is enqueued"
    )
    set: dict[str, Any] | None = Field(
        default=None,
        description="some parameters anew, by their names, or of a list by their places, the first of which is 0: "
        '`{"1": 12}`',
    )
    priority: Priority | None = Field(default=None, description="0 is low, 1 is high")
    queue: LabelName | None = Field(default=None, description="another queue of the namespace")
    delay_seconds: DelaySeconds | None = Field(
        default=None, description="how many seconds from now it becomes due; if absent, it is due at once"
    )
    timeout_seconds: TimeoutSeconds | None = Field(default=None, description="how many seconds one attempt may take")
    max_retries: MaxRetries | None = Field(default=None, description="how many more attempts may follow a failed one")
    labels: Labels | None = Field(default=None, description="all labels anew")

    def new_spec(self, spec: _Spec) -> _Spec:
        """The spec of the new job.

        Args:
            spec: what it would be without changes.

        Raises:
            UnfitChangeError: if the new job would expire before it is due.
        """
        said = {
            name: value
            for name in ("priority", "queue", "delay_seconds", "timeout_seconds", "max_retries", "labels")
            if (value := getattr(self, name)) is not None
        }
        changed = spec.model_copy(update=said)
        expires = changed.expires_after_seconds
        if expires is not None and expires <= changed.delay_seconds:
            raise UnfitChangeError(
                "delay_seconds", f"must be less than {expires:g}, after which the job expires (expires_after_seconds)"
            )
        return changed

    def new_parameters(self, text: str) -> str:
        """The parameters of the new job, as JSON text.

        Args:
            text: those of the old one; if nothing is said about parameters, this very text is given back.

        Raises:
            UnfitChangeError: if they have no such place, or become too large.
        """
        if self.parameters is not None:
            if self.set is not None:
                raise UnfitChangeError("set", "cannot be given together with parameters: give one of them")
            return _text(self.parameters, "parameters")
        if not self.set:
            return text
        found: Any = strict_json.loads(text, limit=4 * len(text))
        if isinstance(found, dict):
            return _text(cast("dict[str, Any]", found) | self.set, "set")
        for name, value in self.set.items():
            found[_place(name, len(found))] = value
        return _text(found, "set")


def _place(name: str, length: int) -> int:
    if _PLACE.fullmatch(name) and int(name) < length:
        return int(name)
    if not length:
        raise UnfitChangeError(f"set.{name}", "the job has no parameters that could be changed: give all by parameters")
    there = "0" if length == 1 else f"0 to {length - 1}"
    raise UnfitChangeError(
        f"set.{name}",
        f"the job's parameters are a list, with the places {there}: name one of these, or give all by parameters",
    )


def _text(parameters: object, field: str) -> str:
    try:
        return strict_json.dumps(parameters, "parameters")
    except strict_json.NotJSONError as error:
        raise UnfitChangeError(field, str(error)) from error
