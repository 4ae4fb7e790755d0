"""From what a caller says to a checked `EnqueueRequest`: everything that can be known without a server."""

from __future__ import annotations

import difflib
import json
import math
import re
import types
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Final, Unpack, cast

from pydantic import ValidationError

from bgjobs import strict_json, trace
from bgjobs.calls import UnfitCallError, check_call, class_name
from bgjobs.changes import RerunChanges
from bgjobs.errors import InvalidJobError
from bgjobs.ids import STORED_VERSIONS, is_job_id, new_job_id
from bgjobs.job_spec import EnqueueOptions
from bgjobs.retry_rules import RetryPolicy
from bgjobs.wire import EnqueueRequest, RerunRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

_OPTIONS: Final = tuple(EnqueueOptions.__annotations__)
_CHANGES: Final = tuple(RerunChanges.__annotations__)
_DOTTED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_METHOD: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)


def build_request(
    cls: type | str,
    method: str,
    parameters: object = (),
    *,
    priority: int = 0,
    delay: float = 0,
    **options: Unpack[EnqueueOptions],
) -> EnqueueRequest:
    """Check everything and make the request; the id is made here if none is given.

    Raises:
        InvalidJobError: with the field, in the API's spelling, that is wrong.
    """
    _check_names(options)
    dotted = dotted_class(cls)
    if not isinstance(cast("object", method), str) or not _METHOD.fullmatch(method):
        why = _why_no_name(method)
        raise InvalidJobError(f"the method must be the name of a public method, not {method!r}{why}", "method")
    checked = _parameters(parameters)
    if isinstance(cls, type):
        try:
            check_call(cls, method, checked)
        except UnfitCallError as error:
            raise InvalidJobError(str(error), error.field) from error
    if isinstance(cast("object", priority), bool) or priority not in (0, 1):
        raise InvalidJobError(f"priority is 0 (low) or 1 (high), not {priority!r}", "priority")
    _check_seconds(delay, "delay", "delay_seconds")
    _check_options(options)
    said: dict[str, object] = {name: value for name, value in options.items() if value is not None}
    if "needs" in said:
        said["needs"] = _ids(said["needs"])
    if "retry" in said:
        said |= _retry(said.pop("retry"))
    if "traceparent" not in said and (here := trace.current()):
        said["traceparent"] = here
    try:
        return EnqueueRequest.model_validate(
            {
                **({"id": new_job_id()} if options.get("key") is None else {}),
                "class": dotted,
                "method": method,
                "parameters": checked,
                "priority": priority,
                "delay_seconds": delay,
                **said,
            }
        )
    except ValidationError as error:
        raise _from_validation(error) from error


def build_rerun(new_id: str | None, **changes: Unpack[RerunChanges]) -> RerunRequest:
    """Check what can be known of changes without the job, and make the request; the id is made here if none is given.

    Raises:
        InvalidJobError: with the field, in the API's spelling, that is wrong.
    """
    _check_names(changes, _CHANGES, "change")
    said: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    if "parameters" in said:
        said["parameters"] = _parameters(said["parameters"])
    if "set" in said:
        said["set"] = _places(said["set"])
    if "delay" in said:
        said["delay_seconds"] = said.pop("delay")
        _check_seconds(said["delay_seconds"], "delay", "delay_seconds")
    if "priority" in said and (isinstance(said["priority"], bool) or said["priority"] not in (0, 1)):
        raise InvalidJobError(f"priority is 0 (low) or 1 (high), not {said['priority']!r}", "priority")
    _check_options({"timeout_seconds": said.get("timeout_seconds"), "max_retries": said.get("max_retries")})
    try:
        return RerunRequest.model_validate({"id": new_id or new_job_id(), **said})
    except ValidationError as error:
        raise _from_validation(error) from error


def _retry(policy: object) -> dict[str, Any]:
    """The rules of a call, as the API has them."""
    if not isinstance(policy, RetryPolicy):
        raise InvalidJobError(f"retry is a RetryPolicy, not {policy!r}", "retry")
    try:
        return policy.said()
    except ValueError as error:
        raise InvalidJobError(f"retry: {error}", "retry") from error


def _ids(needs: object) -> list[str]:
    """The ids of the jobs and batches that are needed, which are given by ids and handles."""
    if hasattr(needs, "parent_ids"):  # a batch is a sequence of handles, too
        needs = [needs]
    if isinstance(needs, str) or not isinstance(needs, (Sequence, Set)):
        raise InvalidJobError(f"needs is a list of handles or ids of jobs, not {needs!r}", "needs")
    found: list[str] = []
    for one in cast("Sequence[object]", needs):
        for job_id in _ids_of(one):
            if not isinstance(job_id, str) or not is_job_id(job_id, STORED_VERSIONS):
                raise InvalidJobError(f"needs has {one!r}, which is neither the id of a job nor a handle", "needs")
            if job_id not in found:
                found.append(job_id)
    return found


def _ids_of(one: object) -> Sequence[object]:
    """What a handle stands for: a job, or all that a batch is; nothing if that has no jobs."""
    if isinstance(one, str):
        return [one]
    return getattr(one, "parent_ids", None) or ([] if hasattr(one, "parent_ids") else [getattr(one, "id", None)])


def _places(given: object) -> dict[str, Any]:
    """Parameters by name or place, as the API has them. The first place is 0, as in Python."""
    if not isinstance(given, Mapping):
        raise InvalidJobError(f'set is a dict, as {{1: 12}} or {{"country": "de"}}, not {given!r}', "set")
    named: dict[str, object] = {}
    for name, value in cast("Mapping[object, object]", given).items():
        if isinstance(name, bool) or not isinstance(name, (int, str)):
            raise InvalidJobError(f"set has {name!r}, which is neither the name nor the place of a parameter", "set")
        named[str(name)] = value
    try:
        return json.loads(strict_json.dumps(named, "set"))
    except strict_json.NotJSONError as error:
        raise InvalidJobError(str(error), "set") from error


def dotted_class(cls: object) -> str:
    """The name of a class for the API, from the class or its name; or that of the module of a function.

    Raises:
        InvalidJobError: if a job cannot import it, or it is neither.
    """
    if isinstance(cls, type):
        try:
            name = class_name(cls)
        except UnfitCallError as error:
            raise InvalidJobError(str(error), error.field) from error
    elif isinstance(cls, str):
        name = cls
    else:
        raise InvalidJobError(f"the class must be a class or its dotted name, not {cls!r}{_which_name(cls)}", "class")
    if not _DOTTED.fullmatch(name):
        odd = next((part for part in name.split(".") if not _NAME.fullmatch(part)), None)
        why = ": no module is named in it" if odd is None else _why_no_name(odd)
        raise InvalidJobError(f"{name!r} is not the dotted name of a class, as app.jobs.Invoices{why}", "class")
    if name.startswith("__main__."):
        raise InvalidJobError(f"{name} belongs to a script, which a job cannot import; move it into a module", "class")
    return name


def _which_name(given: object) -> str:
    """How to ask for what is no class, as the rest of a sentence; "" if there is no way."""
    if isinstance(given, types.ModuleType):
        return f"; a module is named: {given.__name__!r}"
    if isinstance(given, types.FunctionType):
        return f"; ask for a function or method by enqueue({given.__qualname__}, ...)"
    return ""


def _why_no_name(part: object) -> str:
    """Why this is no name of a class or method of jobs, as the rest of a sentence; "" if there is nothing to add."""
    if not isinstance(part, str) or (part.isidentifier() and part.isascii()):
        return ""
    if not part.isidentifier():
        return f": {part!r} is no name"
    odd = next(one for one in part if not one.isascii())
    return f": {part!r} has {odd!r}, and names of jobs are of the letters A to Z; give it another name in Python too"


def _parameters(parameters: object) -> list[Any] | dict[str, Any]:
    if not isinstance(parameters, (list, tuple, dict)):
        raise InvalidJobError(
            f"parameters are a list for method(*list) or a dict for method(**dict), not {type(parameters).__name__}",
            "parameters",
        )
    try:
        # Decoded again, so that what is shown is what the job will see: a tuple becomes a list.
        return json.loads(strict_json.dumps(cast("object", parameters), "parameters"))
    except strict_json.NotJSONError as error:
        raise InvalidJobError(str(error), "parameters") from error


def _check_names(given: Iterable[str], there: Sequence[str] = _OPTIONS, what: str = "option") -> None:
    for name in given:
        if name not in there:
            near = difflib.get_close_matches(name, there, 1)
            hint = f"; did you mean {near[0]}?" if near else f"; there are {', '.join(there)}"
            raise InvalidJobError(f"there is no {what} {name!r}{hint}", name)


def _check_options(options: EnqueueOptions) -> None:
    """What pydantic would take in good faith: True for 1, "7" for 7."""
    timeout, retries = options.get("timeout_seconds"), options.get("max_retries")
    job_id, key = options.get("id"), options.get("key")
    if timeout is not None:
        _check_seconds(timeout, "timeout_seconds", "timeout_seconds")
    if retries is not None and (isinstance(retries, bool) or not isinstance(cast("object", retries), int)):
        raise InvalidJobError(f"max_retries is a whole number, not {retries!r}", "max_retries")
    if job_id is not None and not (isinstance(cast("object", job_id), str) and is_job_id(job_id)):
        raise InvalidJobError(
            f"the id must be a UUID of version 7 in lower case, which bgjobs.new_job_id() makes, not {job_id!r}", "id"
        )
    if key is not None and not isinstance(cast("object", key), str):
        raise InvalidJobError(f"a key is text, such as invoice-2026-11, and not {key!r}", "key")
    if key is not None and job_id is not None:
        raise InvalidJobError("a job has an id or a key, from which its id is derived, and not both", "key")


def _check_seconds(value: object, name: str, field: str) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidJobError(f"{name} is a number of seconds, not {value!r}", field)
    if not math.isfinite(value) or value < 0:
        raise InvalidJobError(f"{name} is a number of seconds from 0 on, not {value!r}", field)


def _from_validation(error: ValidationError) -> InvalidJobError:
    first = error.errors(include_url=False, include_context=False)[0]
    field = str(first["loc"][0]) if first["loc"] else None
    return InvalidJobError(f"{field}: {first['msg']}, not {first['input']!r}", field)
