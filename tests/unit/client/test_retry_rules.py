"""What follows from an exception of job code: one table."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs import Abort, Backoff, Retry, RetryPolicy, retry_policy
from bgjobs.job_spec import JobSpec
from bgjobs.retry_rules import Verdict, judge, policy_of, policy_of_call

if TYPE_CHECKING:
    from collections.abc import Callable


class Gone(Abort):
    def __init__(self, number: int) -> None:
        super().__init__(f"order {number} is gone")


class Busy(Retry):
    """One of a job's own, which does not call ours."""

    def __init__(self) -> None:
        Exception.__init__(self, "busy")


@retry_policy(retry_on=(OSError, LookupError), abort_on=KeyError, backoff=Backoff.exponential(1, cap=60))
class Ruled:
    def run(self) -> None: ...

    @retry_policy(backoff=Backoff.none())
    def at_once(self) -> None: ...


class Heir(Ruled):
    pass


class Plain:
    def run(self) -> None: ...

    @retry_policy(abort_on=ValueError)
    def strict(self) -> None: ...

    @retry_policy(abort_on=ValueError)
    @staticmethod
    def static() -> None: ...

    @retry_policy(abort_on=ValueError)
    @classmethod
    def of_class(cls) -> None: ...


def group(*errors: Exception) -> ExceptionGroup[Exception]:
    return ExceptionGroup("unhandled errors in a TaskGroup", errors)


ABORTS = Verdict(aborts=True)
RETRIED = Verdict(aborts=False)  # when Kubernetes starts the next pod


def after(seconds: float) -> Verdict:
    return Verdict(aborts=False, retry_after=seconds)


@pytest.mark.parametrize(
    ("error", "cls", "method", "attempt", "verdict"),
    [
        (ValueError(), Plain, "run", 1, RETRIED),
        (SystemExit(3), Plain, "run", 1, RETRIED),
        (Abort("no"), Plain, "run", 1, ABORTS),
        (Gone(7), Plain, "run", 1, ABORTS),
        (group(Abort(), Gone(1)), Plain, "run", 1, ABORTS),
        (group(Abort(), ValueError()), Plain, "run", 1, RETRIED),
        (Retry(30), Plain, "run", 1, after(30)),
        (Retry(0), Plain, "run", 1, after(0)),
        (Retry(), Plain, "run", 1, RETRIED),
        (Busy(), Plain, "run", 1, RETRIED),
        (group(Retry(3), Retry(30), Retry()), Plain, "run", 1, after(30)),
        (group(Retry(3), group(Abort())), Plain, "run", 1, after(3)),
        (group(Retry(3), ValueError()), Plain, "run", 1, after(3)),
        (ValueError(), Plain, "strict", 1, ABORTS),
        (UnicodeError(), Plain, "strict", 1, ABORTS),
        (ValueError(), Plain, "static", 1, ABORTS),
        (ValueError(), Plain, "of_class", 1, ABORTS),
        (OSError(), Plain, "strict", 1, RETRIED),
        (SystemExit(3), Plain, "strict", 1, RETRIED),
        (group(ValueError(), OSError()), Plain, "strict", 1, RETRIED),
        (group(ValueError(), group(ValueError())), Plain, "strict", 1, ABORTS),
        (ConnectionError(), Ruled, "run", 1, after(1)),
        (ConnectionError(), Ruled, "run", 4, after(8)),
        (ConnectionError(), Ruled, "run", 7, after(60)),
        (ConnectionError(), Ruled, "run", 10_000, after(60)),
        (IndexError(), Ruled, "run", 1, after(1)),
        (KeyError(), Ruled, "run", 1, ABORTS),
        (ValueError(), Ruled, "run", 1, ABORTS),
        (Retry(30), Ruled, "run", 1, after(30)),
        (Retry(), Ruled, "run", 3, after(4)),
        (Busy(), Ruled, "run", 3, after(4)),
        (Abort(), Ruled, "run", 1, ABORTS),
        (ValueError(), Ruled, "at_once", 5, after(0)),
        (KeyError(), Heir, "run", 1, ABORTS),
        (ValueError(), Ruled, "no_such_method", 1, ABORTS),
    ],
    ids=repr,
)
def test_what_follows(error: BaseException, cls: type, method: str, attempt: int, verdict: Verdict) -> None:
    assert judge(error, policy_of(cls, method), attempt) == verdict


def test_a_group_as_a_task_group_raises_it() -> None:
    async def fails() -> None:
        raise Retry(after=5, reason="rate limited")

    async def both() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fails())

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(both())
    assert judge(caught.value, None, 1) == after(5)


def test_a_very_deep_group_is_no_trouble() -> None:
    error: Exception = Abort()
    for _ in range(10_000):
        error = group(error)
    assert judge(error, None, 1) == ABORTS


@pytest.mark.parametrize(
    "make",
    [
        lambda: Retry(after=-1),
        lambda: Retry(after=float("nan")),
        lambda: Retry(after=86_401),
        lambda: Backoff.fixed(-1),
        lambda: Backoff.fixed(float("inf")),
        lambda: Backoff.exponential(1, cap=100_000),
        lambda: Backoff.exponential(-1),
    ],
    ids=["negative", "nan", "more than a day", "fixed", "endless", "cap", "first"],
)
def test_a_pause_that_cannot_be_kept_is_an_error(make: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"from 0 to 86,400 \(a day\)"):
        make()


def test_a_reason_in_the_place_of_the_pause_is_an_error_with_words() -> None:
    with pytest.raises(TypeError, match="and not 'rate limited'; the reason is another argument"):
        Retry("rate limited")  # type: ignore[arg-type]
    assert Retry("30").after == 30, "as the header Retry-After has it"  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: retry_policy(retry_on=["x"]), "retry_on takes classes of exceptions"),  # type: ignore[arg-type]
        (lambda: retry_policy(retry_on=KeyboardInterrupt), "retry_on takes classes of exceptions"),  # type: ignore[arg-type]
        (lambda: retry_policy(abort_on=(ValueError, 1)), "abort_on takes classes.*not 1"),  # type: ignore[arg-type]
        (lambda: retry_policy(backoff=5), "backoff takes Backoff.none"),  # type: ignore[arg-type]
    ],
    ids=["a list", "no Exception", "a number", "seconds"],
)
def test_a_wrong_rule_is_an_error_where_it_is_written(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(TypeError, match=words):
        make()


def test_a_retry_keeps_its_words() -> None:
    error = Retry(after=30, reason="rate limited")

    for one in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (str(one), one.after, one.reason) == ("rate limited", 30.0, "rate limited")


def test_a_backoff_says_what_it_is() -> None:
    assert repr(Backoff.exponential(1, cap=60)) == "<Backoff 1 s, times 2, at most 60 s>"


@pytest.mark.parametrize(
    ("policy", "said", "words"),
    [
        (RetryPolicy(), {"retry_on": ["Exception"]}, "only after Exception"),
        (RetryPolicy(retry_on=()), {"retry_on": []}, "after no exception"),
        (RetryPolicy(retry_on=OSError), {"retry_on": ["OSError"]}, "only after OSError"),
        (
            RetryPolicy(retry_on=("builtins.OSError", json.JSONDecodeError), abort_on=ConnectionRefusedError),
            {"retry_on": ["OSError", "json.decoder.JSONDecodeError"], "abort_on": ["ConnectionRefusedError"]},
            "only after OSError, json.decoder.JSONDecodeError; never after ConnectionRefusedError",
        ),
        (RetryPolicy(abort_on="shop.errors.Gone"), {"abort_on": ["shop.errors.Gone"]}, "never after shop.errors.Gone"),
        (RetryPolicy(backoff=Backoff.none()), {"backoff_seconds": 0}, "at once"),
        (RetryPolicy(backoff=Backoff.fixed(5)), {"backoff_seconds": 5}, "waits 5 s"),
        (
            RetryPolicy(backoff=Backoff.exponential(2, cap=60)),
            {"backoff_seconds": 2, "backoff_cap_seconds": 60},
            "waits 2 s, doubled up to 60 s",
        ),
    ],
    ids=repr,
)
def test_the_rules_of_a_call_travel_as_names(policy: RetryPolicy, said: dict[str, Any], words: str) -> None:
    assert policy.said() == said
    spec = JobSpec.model_validate({"class": "shop.jobs.Mail", "method": "send", **said})
    assert spec.retry_rules == said
    assert spec.retry_words == words
    again = policy_of_call(spec.retry_rules)
    assert again is not None
    errors = (OSError(), ConnectionRefusedError(), json.JSONDecodeError("", "", 0), ValueError(), Abort(), Retry(3))
    for error in errors:
        for attempt in (1, 2, 9):
            assert judge(error, again, attempt) == judge(error, policy, attempt)


def test_a_call_without_rules() -> None:
    spec = JobSpec.model_validate({"class": "shop.jobs.Mail", "method": "send"})

    assert spec.retry_rules is None
    assert spec.retry_words == ""
    assert policy_of_call(None) is None


def test_a_cap_alone_begins_with_a_second() -> None:
    policy = policy_of_call({"backoff_cap_seconds": 3})

    assert [judge(ValueError(), policy, attempt) for attempt in (1, 2, 3)] == [after(1), after(2), after(3)]


def test_a_class_is_known_by_the_name_that_it_has_for_itself() -> None:
    class Inside(Exception):  # noqa: N818 - short
        pass

    by_name = RetryPolicy(retry_on=f"{Gone.__module__}.Busy")
    assert not by_name.aborts(Busy())
    assert by_name.aborts(Inside())
    with pytest.raises(ValueError, match="is not at the top level of its module"):
        RetryPolicy(abort_on=Inside).said()
    with pytest.raises(ValueError, match="Python has no exception 'Timeuot'; name others with their module"):
        RetryPolicy(abort_on="Timeuot").said()
    Inside.__module__ = "__main__"
    with pytest.raises(ValueError, match="belongs to the script that is running"):
        RetryPolicy(abort_on=Inside).said()
    with pytest.raises(TypeError, match=r"and not 'no name'"):
        RetryPolicy(abort_on="no name")
