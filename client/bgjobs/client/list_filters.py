"""What a list of jobs can be filtered by, and how that is asked for."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, TypedDict, Unpack, cast

from bgjobs.client.request import dotted_class
from bgjobs.errors import InvalidJobError

if TYPE_CHECKING:
    from collections.abc import Mapping


class JobFilters(TypedDict, total=False):
    """Which jobs a list has, as keywords of `list`; a job must fit all of them. What is left out, or None, is any.

    Attributes:
        namespace: of the jobs; default: that of the client, else all that the caller may list.
        state: such as `"queued"`.
        queue: the name of their queue.
        class_: the class itself, or its dotted name.
        batch: the id of a batch, whose jobs come in the order of their ids.
        outcome: why they ended, such as `"timed_out"`.
        error_type: of the error of the job, such as `"ValueError"`.
        who: has asked for them: the whole name in Kubernetes, or what follows its last colon.
        schedule: the name of the BackgroundJobSchedule that has made them.
        request: the name of their BackgroundJobRequest.
        labels: `{"team": "billing"}`; with None as the value, any value will do.
        since: they have changed then, or later; an aware time.
        until: they have changed before; an aware time.
    """

    namespace: str | None
    state: str | None
    queue: str | None
    class_: type | str | None
    batch: str | None
    outcome: str | None
    error_type: str | None
    who: str | None
    schedule: str | None
    request: str | None
    labels: Mapping[str, str | None] | None
    since: datetime | None
    until: datetime | None


_NAMES: Final = tuple(JobFilters.__annotations__)


def query_of(**filters: Unpack[JobFilters]) -> dict[str, str]:
    """The same as parameters of a query.

    Raises:
        InvalidJobError: if one is not what it should be.
    """
    query: dict[str, str] = {}
    for name, value in filters.items():
        if value is None:
            continue
        if name not in _NAMES:
            raise InvalidJobError(f"there is no filter {name!r}; there are {', '.join(_NAMES)}", name)
        if name == "class_":
            query["class"] = dotted_class(value)
        elif name == "labels":
            query["label"] = ",".join(_label(key, one) for key, one in cast("Mapping[str, str | None]", value).items())
        elif name in {"since", "until"}:
            query[name] = _moment(name, value)
        else:
            query[name] = str(value)
    return query


def _label(key: str, value: str | None) -> str:
    if "," in f"{key}{value}":
        raise InvalidJobError(f"{key!r} with the value {value!r} is no label of a job", "labels")
    return key if value is None else f"{key}={value}"


def _moment(name: str, value: object) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidJobError(f"{name} is an aware time, as datetime.now(UTC) gives one, and not {value!r}", name)
    return value.isoformat()
