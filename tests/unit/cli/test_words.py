"""Durations, parameters, the call, and which job is meant: what words on a command line mean."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.cli.arguments import job_ids
from bgjobs.cli.arguments.parameters import Call, call, parameters, priority
from bgjobs.cli.exits import NoJobError, UsageError
from bgjobs.cli.showing import durations
from bgjobs.wire import Job
from tests.unit.cli.fakes import JOB_ID, OTHER_ID, job

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("0", 0), ("1.5", 1.5), ("10s", 10), ("5m", 300), ("2h", 7200), ("1d", 86400), ("1h30m", 5400),
     (" 2H ", 7200), ("0.5m", 30)],
)  # fmt: skip
def test_a_duration(text: str, seconds: float) -> None:
    assert durations.seconds(text, "--delay") == seconds


@pytest.mark.parametrize("text", ["", "-1", "5x", "m", "1h30", "1 h", "inf", "nan", "١"])
def test_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="--delay must be a number of seconds"):
        durations.seconds(text, "--delay")


def test_nothing_is_no_duration() -> None:
    assert durations.seconds(None, "--delay") is None


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (7199, "119m"), (7200, "2h"), (172800, "2d"), (1e6, "11d")],
)
def test_a_span_in_one_unit(seconds: float, shown: str) -> None:
    assert durations.short(timedelta(seconds=seconds)) == shown


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("shop.jobs.Mail", "send", None), Call("shop.jobs.Mail", "send", None)),
        (("shop.jobs.Mail", "send", "[1]"), Call("shop.jobs.Mail", "send", "[1]")),
        (("shop.jobs.Mail.send", None, None), Call("shop.jobs.Mail", "send", None)),
        (("shop.jobs.Mail.send", "[1]", None), Call("shop.jobs.Mail", "send", "[1]")),
        (("shop.mail.send", "[1]", None), Call("shop.mail", "send", "[1]")),
        (("shop.mail", "send", "[1]"), Call("shop.mail", "send", "[1]")),
    ],
)
def test_a_call(words: tuple[str | None, ...], meant: Call) -> None:
    assert call(words) == meant


@pytest.mark.parametrize("words", [("shop.jobs.Mail",), ("send",), ("Mail.",), ("shop.Mail.send", "[1]", "[2]")])
def test_no_call(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="no method of"):
        call(words)


@pytest.mark.parametrize("word", ["Mail.send", "jobs.render"])
def test_a_name_without_a_package(word: str) -> None:
    with pytest.raises(UsageError, match=f"{word} is neither a method of a class.*nor a function of a module in a"):
        call((word, "[1]"))


def given(
    text: str | None = None, file: str | None = None, named: tuple[str, ...] = (), positional: tuple[str, ...] = ()
) -> list[Any] | dict[str, Any]:
    return parameters(text, file, named, positional, lambda: b'{"from": "stdin"}')


def test_parameters(tmp_path: Path) -> None:
    file = tmp_path / "parameters.json"
    file.write_text("[7]")

    assert given() == []
    assert given("[2026, 11]") == [2026, 11]
    assert given('{"year": 2026}') == {"year": 2026}
    assert given(named=("year=2026", "name=ann", "to=a=b", "tags=[1]", "empty=")) == {
        "year": 2026, "name": "ann", "to": "a=b", "tags": [1], "empty": "",
    }  # fmt: skip
    assert given(positional=("5", "five", '"5"', "null")) == [5, "five", "5", None]
    assert given(file=str(file)) == [7]
    assert given(file="-") == {"from": "stdin"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"text": "[1"}, "is not JSON"),
        ({"text": '{"a": 1, "a": 2}'}, "a list or an object"),
        ({"text": "5"}, "use `-a 5`"),
        ({"named": ("year",)}, "-p must look like key=value"),
        ({"named": ("=1",)}, "-p must look like key=value"),
        ({"named": ("a=1", "a=2")}, "given twice"),
        ({"text": "[]", "named": ("a=1",)}, "in one way only, and not by PARAMETERS and -p"),
        ({"named": ("a=1",), "positional": ("1",)}, "in one way only, and not by -p and -a"),
        ({"file": "/no/such/file"}, "cannot be read"),
    ],
)
def test_no_parameters(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        given(**arguments)


def test_a_priority() -> None:
    assert [priority(word) for word in ("0", "low", "1", "HIGH")] == [0, 0, 1, 1]
    with pytest.raises(UsageError, match="--priority must be low or 0"):
        priority("2")


LATEST = [
    Job.model_validate(job(id=JOB_ID, created_at="2026-11-24T10:00:01Z")),
    Job.model_validate(job(id=OTHER_ID, created_at="2026-11-24T10:00:02Z")),
]


@pytest.mark.parametrize(
    ("word", "meant"),
    [("334455", JOB_ID), ("BBCCDDEE", OTHER_ID), ("last", OTHER_ID), (JOB_ID[:-1], JOB_ID)],
)
def test_a_job_is_meant(word: str, meant: str) -> None:
    assert job_ids.resolve(word, lambda: LATEST) == meant


def test_a_whole_id_is_not_looked_up() -> None:
    for job_id in (JOB_ID, "6f9619ff-8b86-5011-b42d-00cf4fc964ff"):
        assert job_ids.resolve(job_id.upper(), lambda: pytest.fail("asked")) == job_id


def test_too_few_characters() -> None:
    with pytest.raises(UsageError, match="too short"):
        job_ids.resolve("34455", lambda: pytest.fail("asked"))


def test_several_jobs_are_meant() -> None:
    with pytest.raises(UsageError, match=f"fits several jobs, so give more of the id: {JOB_ID}, {OTHER_ID}"):
        job_ids.resolve("0192f0c1", lambda: LATEST)


def test_no_job_is_meant() -> None:
    with pytest.raises(NoJobError, match="begins or ends with"):
        job_ids.resolve("ffffff", lambda: LATEST)
    with pytest.raises(NoJobError, match="no jobs yet"):
        job_ids.resolve("last", list)
