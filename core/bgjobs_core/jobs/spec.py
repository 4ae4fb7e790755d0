"""A job's spec in Redis, and the digest by which two requests are the same. Both follow from the model."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, get_args, get_origin

from bgjobs.job_spec import CompleteSpec, JobSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping, Sequence

# What differs from job to job, and is kept in each record. Everything else is what many jobs have in common.
_OWN: Final = frozenset({
    "priority", "delay_seconds", "concurrency_key", "unique_key", "unique_mode", "unique_for_seconds", "labels",
    "traceparent",
})  # fmt: skip
# Who asks again asks from another place of a program, and still for the same job.
_NOT_ASKED: Final = frozenset({"traceparent"})
# What the verbs read; anything else is left out where it is what it is by default.
_READ_BY_VERBS: Final = frozenset({"queue", "priority", "max_retries"})


@dataclass(frozen=True)
class _Field:
    """How one field of a spec is kept in a record's hash."""

    name: str
    key: str
    write: Callable[[Any], str | int | float]
    read: Callable[[bytes], Any]


def _plain(annotation: Any) -> Any:
    """The type of a field without its `| None` and without its checks."""
    if get_origin(annotation) in {Union, UnionType}:
        kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
        annotation = kinds[0] if len(kinds) == 1 else None
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _codec(annotation: Any) -> tuple[Callable[[Any], str | int | float], Callable[[bytes], Any]]:
    kind = _plain(annotation)
    if kind is str:
        return str, bytes.decode
    if kind is int or kind is float:
        return kind, kind
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return str, lambda raw: kind(raw.decode())
    return json.dumps, json.loads


_FIELDS: Final = tuple(
    _Field(name, field.serialization_alias or name, *_codec(field.annotation))
    for name, field in JobSpec.model_fields.items()
)
_ASKED: Final = set(JobSpec.model_fields) - _NOT_ASKED
_OWN_FIELDS: Final = tuple(one for one in _FIELDS if one.name in _OWN)
_SHARED_FIELDS: Final = tuple(one for one in _FIELDS if one.name not in _OWN)

_DEFAULTS: Final = {name: field.get_default(call_default_factory=True) for name, field in JobSpec.model_fields.items()}
_NEEDED: Final = frozenset(
    field.serialization_alias or name for name, field in CompleteSpec.model_fields.items() if field.is_required()
)
# Fields whose values can be compared as they are, and those that are lists or dicts.
_plain_of: Final = attrgetter(*(one.name for one in _FIELDS if one.write is not json.dumps))
_nested_of: Final = attrgetter(*(one.name for one in _FIELDS if one.write is json.dumps))
_NESTED_BY_DEFAULT: Final = tuple(_DEFAULTS[one.name] for one in _FIELDS if one.write is json.dumps)
Fields = dict[str, str | int | float]
_sorted: Final = json.JSONEncoder(sort_keys=True).encode  # `json.dumps` would make such an encoder each time


def likeness(spec: JobSpec) -> Hashable:
    """What is equal for two specs if and only if they say the same."""
    nested = _nested_of(spec)
    return _plain_of(spec), None if nested == _NESTED_BY_DEFAULT else _sorted(nested)


def to_hashes(spec: CompleteSpec) -> tuple[Fields, Fields]:
    """A spec as fields of hashes, by their names there (as on the wire, so `class`).

    Returns:
        What many jobs have in common, and what is the job's own.
    """
    shared: Fields = {}
    own: Fields = {}
    for one in _FIELDS:
        value = getattr(spec, one.name)
        if one.key in _READ_BY_VERBS or (value is not None and value != _DEFAULTS[one.name]):
            (own if one.name in _OWN else shared)[one.key] = one.write(value)
    return shared, own


def shared_part(fields: Mapping[bytes, bytes]) -> CompleteSpec:
    """The spec in what many jobs have in common. It was checked when it was asked for, and is not checked again.

    Raises:
        KeyError: a field is missing that every job has, so that these are not such fields.
    """
    known = _read(fields, _SHARED_FIELDS)
    if missing := _NEEDED - known.keys():
        raise KeyError(*sorted(missing))
    return CompleteSpec.model_construct(None, **known)


def with_own_part(shared: CompleteSpec, fields: Mapping[bytes, bytes]) -> CompleteSpec:
    """The spec of one job, from what it has in common with others and from the fields of its record."""
    own = {name: value for name, value in _read(fields, _OWN_FIELDS).items() if value != _DEFAULTS[name]}
    return shared.model_copy(update=own) if own else shared


def _read(fields: Mapping[bytes, bytes], wanted: tuple[_Field, ...]) -> dict[str, Any]:
    return {one.key: one.read(raw) for one in wanted if (raw := fields.get(one.key.encode())) is not None}


def complete(spec: JobSpec, *, image: str, max_retries: int, timeout_seconds: float) -> CompleteSpec:
    """A spec with what its queue decides: the image, and whatever the caller left open of the others."""
    said = {one.key: value for one in _FIELDS if (value := getattr(spec, one.name)) is not None}
    left_open = {"max_retries": max_retries, "timeout_seconds": timeout_seconds}
    return CompleteSpec.model_construct(None, **{**left_open, **said, "image": image})


def digest(
    namespace: str,
    spec: JobSpec,
    parameters: str,
    *,
    request_uid: str = "",
    rerun_of: str = "",
    needs: Sequence[str] = (),
    on_parent_failure: str = "",
) -> str:
    """What makes two requests with one id the same: all that was asked for, before a queue has added anything.

    A field that is what it is by default does not count, so that a version with more fields comes to the same digest.
    Nor does the trace.

    Args:
        namespace: of the job.
        spec: as it was asked for.
        parameters: JSON text.
        request_uid: of the BackgroundJobRequest that asks; "" if none does.
        rerun_of: id of the job that is run again; "" if none is.
        needs: ids of the jobs that must end first, in any order.
        on_parent_failure: what happens if one of them fails; it does not count where there are none.
    """
    asked = spec.model_dump(mode="json", by_alias=True, include=_ASKED, exclude_defaults=True)
    parts = [namespace, asked, parameters, request_uid, rerun_of]
    if needs:
        parts += [sorted(needs), on_parent_failure]
    return short_digest(parts)


def short_digest(value: Any) -> str:
    """22 characters that stand for a value of JSON; 128 bits, so that no two values have the same by chance."""
    found = hashlib.sha256(_sorted(value).encode()).digest()[:16]
    return urlsafe_b64encode(found).decode().rstrip("=")
