"""Errors and handles survive pickling and copying, also on the way out of another process."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import pytest

import bgjobs
from bgjobs import AsyncJobClient, AsyncJobHandle, ConfigurationError, JobClient, JobFailedError, JobHandle, errors
from bgjobs.client import polling
from bgjobs.client.request import build_request
from bgjobs.wire import Job

from .conftest import JOB_ID, URL, job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# What some argument of a class's must be; every other one is made up from its annotation.
_SPECIAL: dict[str, Any] = {"rest": [build_request("shop.jobs.Mail", "send")]}


def error_classes() -> Iterator[type[Exception]]:
    """Every class of error that a module of bgjobs defines."""
    for module in pkgutil.walk_packages(bgjobs.__path__, "bgjobs.", onerror=lambda _: None):
        if module.name.endswith("__main__") or module.name.startswith("bgjobs.django"):
            continue  # a program, and what needs Django 6, whose errors it raises
        for kind in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(kind) and issubclass(kind, Exception) and kind.__module__ == module.name:
                yield kind


def an_error(kind: type[Exception]) -> Exception:
    """One with something in each of its attributes."""
    if not inspect.isfunction(kind.__init__):  # that of Python's own errors
        return kind("it went wrong")
    given: dict[str, Any] = {}
    for one in inspect.signature(kind).parameters.values():
        kinds = {"int": 404, "float": 1.5, "Sequence": [JOB_ID]}
        value = next((made for word, made in kinds.items() if word in str(one.annotation)), f"some {one.name}")
        given[one.name] = _SPECIAL.get(one.name, value)
    bound = inspect.signature(kind).bind(**given)
    return kind(*bound.args, **bound.kwargs)


WAYS: dict[str, Callable[[Any], Any]] = {
    **{f"protocol {number}": lambda it, number=number: pickle.loads(pickle.dumps(it, number)) for number in range(6)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}
CLASSES = sorted(set(error_classes()), key=lambda kind: f"{kind.__module__}.{kind.__qualname__}")


def test_there_are_error_classes() -> None:
    assert {"JobFailedError", "UnfitCallError", "Abort", "NotJSONError"} <= {kind.__name__ for kind in CLASSES}
    assert len(CLASSES) > 15


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__qualname__)
def test_an_error_is_the_same_afterwards(kind: type[Exception], way: str) -> None:
    error = an_error(kind)
    error.add_note("in November")

    again = WAYS[way](error)

    assert type(again) is kind
    assert (str(again), again.args) == (str(error), error.args)
    assert vars(again) == vars(error)


class GoneError(JobFailedError):
    """Of a program's own, and made in its own way."""

    def __init__(self, number: int) -> None:
        super().__init__(f"{number} is gone", "failed", None, None)
        self.number = number


def test_a_programs_own_error() -> None:
    again = pickle.loads(pickle.dumps(GoneError(7)))

    assert (str(again), again.number, again.state) == ("7 is gone", 7, "failed")


def test_the_cause_goes_with_it_if_it_is_ours() -> None:
    error = an_error(errors.EnqueueManyError)
    error.__cause__ = an_error(errors.ForbiddenError)
    assert str(pickle.loads(pickle.dumps(error)).__cause__) == str(error.__cause__)

    error.__cause__ = ValueError("of somebody else")
    assert pickle.loads(pickle.dumps(error)).__cause__ is None


@pytest.mark.slow
def test_a_pool_of_processes_gets_the_error() -> None:
    failed = Job.model_validate(
        job(state="failed", outcome="error", error={"type": "ValueError", "message": "no", "traceback": "Traceback"})
    )

    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        error = pool.submit(polling.raise_unless_succeeded, failed).exception(timeout=60)

    assert isinstance(error, JobFailedError)
    assert str(error).endswith("failed (error): ValueError: no")
    assert (error.state, error.outcome, error.traceback) == ("failed", "error", "Traceback")


def a_handle(client: Any, kind: type[Any]) -> Any:
    return kind(client, JOB_ID, Job.model_validate(job()))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("made", "kind"), [(JobClient, JobHandle), (AsyncJobClient, AsyncJobHandle)])
def test_a_handle(made: Callable[..., Any], kind: type[Any], way: str) -> None:
    handle = a_handle(made(URL, namespace="team-a"), kind)

    again = WAYS[way](handle)

    assert (again.id, again.job, again.state, repr(again)) == (handle.id, handle.job, "queued", repr(handle))


@pytest.mark.parametrize(("made", "kind"), [(JobClient, JobHandle), (AsyncJobClient, AsyncJobHandle)])
def test_a_token_is_no_part_of_it(made: Callable[..., Any], kind: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BGJOBS_TOKEN", raising=False)
    data = pickle.dumps(a_handle(made("https://bgjobs.example", "very-secret"), kind))

    assert b"very-secret" not in data
    pickle.loads(data)  # raises nothing where no token is: that would be in a thread of a pool


def test_without_a_token_the_first_call_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BGJOBS_TOKEN", raising=False)
    handle = pickle.loads(pickle.dumps(a_handle(JobClient("https://bgjobs.example", "very-secret"), JobHandle)))

    with pytest.raises(ConfigurationError, match=r"no token for https://bgjobs\.example"):
        handle.refresh()


def test_a_copy_has_the_same_connection() -> None:
    client = JobClient(URL)

    assert copy.copy(client) is copy.deepcopy(client) is client
