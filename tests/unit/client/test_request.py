"""What a helper refuses before anything is sent."""

from __future__ import annotations

import functools
import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs import Backoff, InvalidJobError, RetryPolicy
from bgjobs.client.request import build_request
from bgjobs.ids import is_job_id

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "shop.jobs.Mail"
OTHER_ID = "0192f0c1-2a3b-7c4d-8e5f-001122334455"


def twice(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class Base:
    def inherited(self, value: int) -> int:
        return value


class Work(Base):
    attribute = 1

    class Nested:
        pass

    def run(self, left: int, right: int = 1) -> int:
        return left + right

    async def later(self) -> None:
        pass

    @staticmethod
    def fixed(value: int) -> int:
        return value

    @classmethod
    def of_class(cls, value: int) -> int:
        return value

    @twice
    def decorated(self, value: int) -> int:
        return value

    partly = functools.partialmethod(run, 1)

    @property
    def prop(self) -> int:
        return 1

    def _private(self) -> None:
        pass


class NeedsArguments:
    def __init__(self, value: int) -> None:
        self.value = value

    def run(self) -> None:
        pass


def local_class() -> type:
    class Local:
        def run(self) -> None:
            pass

    return Local


def of_a_script() -> type:
    return type("Script", (), {"__module__": "__main__", "run": Base.inherited})


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("run", [1]),
        ("run", (1, 2)),
        ("run", {"left": 1}),
        ("later", []),
        ("fixed", [1]),
        ("of_class", [1]),
        ("decorated", {"value": 1}),
        ("partly", [2]),
        ("inherited", [1]),
    ],
)
def test_a_class_itself_goes_by_its_name(method: str, parameters: Any) -> None:
    request = build_request(Work, method, parameters)

    assert request.cls == f"{__name__}.Work"
    assert request.method == method
    assert request.parameters == (parameters if isinstance(parameters, dict) else list(parameters))
    assert is_job_id(request.id)


def test_a_name_is_taken_as_it_is() -> None:
    request = build_request(
        NAME, "send", {"to": "a"}, priority=1, delay=2.5, queue="mail", namespace="team-a", max_retries=0,
        timeout_seconds=9, image="shop:1", id=OTHER_ID, labels={"team": "billing"}, concurrency_key="acme",
        unique_key="report", unique_mode="ignore", unique_for_seconds=60, expires_after_seconds=60,
        retry=RetryPolicy(retry_on=ConnectionError, abort_on="KeyError", backoff=Backoff.exponential(1, cap=60)),
    )  # fmt: skip

    assert request.model_dump(by_alias=True) == {
        "id": OTHER_ID, "namespace": "team-a", "queue": "mail", "class": NAME, "method": "send",
        "parameters": {"to": "a"}, "priority": 1, "delay_seconds": 2.5, "max_retries": 0, "timeout_seconds": 9.0,
        "image": "shop:1", "labels": {"team": "billing"}, "concurrency_key": "acme", "traceparent": None, "key": None,
        "expires_after_seconds": 60.0, "needs": [], "on_parent_failure": "cancel",
        "batch": None, "unique_key": "report", "unique_mode": "ignore", "unique_for_seconds": 60,
        "retry_on": ["ConnectionError"], "abort_on": ["KeyError"], "backoff_seconds": 1.0,
        "backoff_cap_seconds": 60.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cls", "method", "parameters", "field", "words"),
    [
        (of_a_script(), "run", [], "class", "belongs to the script"),
        ("__main__.Work", "run", [], "class", "belongs to a script"),
        (local_class(), "run", [], "class", "defined inside a function"),
        (Work.Nested, "run", [], "class", "nested in another class"),
        (NeedsArguments, "run", [], "class", "must work without arguments: missing a required argument: 'value'"),
        ("Mail", "run", [], "class", "as app.jobs.Invoices: no module is named in it"),
        ("shop.jobs:Mail", "run", [], "class", "as app.jobs.Invoices: 'jobs:Mail' is no name"),
        ("shop..Mail", "run", [], "class", "as app.jobs.Invoices: '' is no name"),
        ("shop.jobs.Größe", "run", [], "class", "as app.jobs.Invoices: 'Größe' has 'ö', and names of jobs are of"),
        ("bücher.Mail", "run", [], "class", "as app.jobs.Invoices: 'bücher' has 'ü'"),
        (NAME, "größe", [], "method", "not 'größe': 'größe' has 'ö', and names"),
        ("", "run", [], "class", "not the dotted name"),
        (f"a.{'b' * 300}", "run", [], "class", "at most 253"),
        (7, "run", [], "class", "must be a class or its dotted name"),
        (Work(), "run", [1], "class", "must be a class or its dotted name"),
        (json, "dumps", [1], "class", "; a module is named: 'json'"),
        (local_class, "run", [], "class", "; ask for a function or method by enqueue(local_class, ...)"),
        (Work.run, "run", [], "class", "; ask for a function or method by enqueue(Work.run, ...)"),
        (NAME, "_private", [], "method", "public method"),
        (NAME, "a b", [], "method", "public method"),
        (NAME, "", [], "method", "public method"),
        (NAME, None, [], "method", "public method"),
        (NAME, "m" * 101, [], "method", "at most 100"),
        (Work, "not_there", [], "method", "has no method 'not_there'"),
        (Work, "rum", [], "method", "has no method 'rum'; did you mean run?"),
        (Work, "attribute", [], "method", "is not a method, but of type int"),
        (Work, "Nested", [], "method", "is not a method, but a class"),
        (Work, "prop", [], "method", "is not a method, but a property"),
        (Work, "run", [], "parameters", "missing a required argument: 'left'"),
        (Work, "run", [1, 2, 3], "parameters", "too many positional arguments"),
        (Work, "run", {"left": 1, "up": 1}, "parameters", "unexpected keyword argument 'up'"),
        (Work, "decorated", [], "parameters", "missing a required argument"),
        (Work, "fixed", [], "parameters", "missing a required argument"),
        (Work, "of_class", [], "parameters", "missing a required argument"),
        (NAME, "send", "text", "parameters", "not str"),
        (NAME, "send", None, "parameters", "not NoneType"),
        (NAME, "send", {1, 2}, "parameters", "not set"),
        (NAME, "send", iter([1]), "parameters", "not list_iterator"),
        (NAME, "send", [{1}], "parameters", "parameters[0] is a set"),
        (NAME, "send", [b"x"], "parameters", "parameters[0] is a bytes"),
        (NAME, "send", {"a": {"b": [math.nan]}}, "parameters", "parameters.a.b[0] is nan"),
        (NAME, "send", [2**63], "parameters", "beyond 64 bits"),
        (NAME, "send", {1: 2}, "parameters", "JSON keys are strings"),
        (NAME, "send", ["x" * 262_144], "parameters", "at most 262,144"),
        (NAME, "send", ["\ud800"], "parameters", "surrogate"),
    ],
)  # fmt: skip
def test_what_cannot_be_called(cls: Any, method: Any, parameters: Any, field: str, words: str) -> None:
    with pytest.raises(InvalidJobError) as caught:
        build_request(cls, method, parameters)

    assert caught.value.field == field
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("options", "field", "words"),
    [
        ({"priority": 2}, "priority", "0 (low) or 1 (high), not 2"),
        ({"priority": -1}, "priority", "0 (low) or 1 (high)"),
        ({"priority": True}, "priority", "not True"),
        ({"priority": "1"}, "priority", "not '1'"),
        ({"priority": 0.5}, "priority", "not 0.5"),
        ({"delay": -1}, "delay_seconds", "from 0 on"),
        ({"delay": math.nan}, "delay_seconds", "from 0 on"),
        ({"delay": math.inf}, "delay_seconds", "from 0 on"),
        ({"delay": True}, "delay_seconds", "a number of seconds"),
        ({"delay": "60"}, "delay_seconds", "a number of seconds"),
        ({"delay": None}, "delay_seconds", "a number of seconds"),
        ({"delay": 400 * 86400}, "delay_seconds", "less than or equal to"),
        ({"timeout_seconds": 0}, "timeout_seconds", "greater than 0"),
        ({"timeout_seconds": True}, "timeout_seconds", "a number of seconds"),
        ({"max_retries": -1}, "max_retries", "greater than or equal to 0"),
        ({"max_retries": True}, "max_retries", "a whole number"),
        ({"max_retries": "3"}, "max_retries", "a whole number"),
        ({"max_retries": 101}, "max_retries", "less than or equal to 100"),
        ({"retry": {"retry_on": []}}, "retry", "retry is a RetryPolicy, not {"),
        ({"retry": RetryPolicy(retry_on="Timeout")}, "retry", "Python has no exception 'Timeout'"),
        ({"retry": RetryPolicy(abort_on="a." * 100 + "Error")}, "abort_on", "at most 200 characters"),
        ({"retry": RetryPolicy(retry_on=("OSError",) * 21)}, "retry_on", "at most 20 items"),
        ({"queue": "Not A Name"}, "queue", "match pattern"),
        ({"namespace": "x" * 64}, "namespace", "at most 63"),
        ({"image": ""}, "image", "at least 1"),
        ({"id": "1"}, "id", "UUID of version 7"),
        ({"id": "0192F0C1-2A3B-7C4D-8E5F-001122334455"}, "id", "UUID of version 7"),
        ({"id": "f47ac10b-58cc-4372-a567-0e02b2c3d479"}, "id", "UUID of version 7"),
        ({"id": 7}, "id", "UUID of version 7"),
        ({"max_retry": 3}, "max_retry", "did you mean max_retries?"),
        ({"colour": "red"}, "colour", "there are queue, namespace"),
    ],
)
def test_what_cannot_be_said_of_a_job(options: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(InvalidJobError) as caught:
        build_request(NAME, "send", **options)

    assert caught.value.field == field
    assert words in str(caught.value)


def test_two_jobs_have_two_ids_in_their_order() -> None:
    ids = [build_request(NAME, "send").id for _ in range(20)]

    assert len(set(ids)) == 20
    assert [job_id[:13] for job_id in ids] == sorted(job_id[:13] for job_id in ids)
