"""The trace of who asks goes with the job."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs import InvalidJobError, context, current_job, run_background_job, trace
from bgjobs.client.request import build_request
from bgjobs.testing import eager

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
THERE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


class Traced:
    def trace(self) -> str | None:
        return current_job().traceparent


def asked(**options: Any) -> str | None:
    return build_request("shop.jobs.Mail", "send", **options).traceparent


def _opentelemetry(monkeypatch: pytest.MonkeyPatch, inject: Callable[[dict[str, str]], object]) -> None:
    """A program that has imported OpenTelemetry, whose current span is what `inject` writes."""
    module: Any = ModuleType("opentelemetry.propagate")
    module.inject = inject
    monkeypatch.setitem(sys.modules, "opentelemetry.propagate", module)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        HERE.upper(),
        HERE + "-more",
        HERE + "\n",
        f"ff{HERE[2:]}",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
    ],
)
def test_what_is_no_trace_is_refused(text: str) -> None:
    with pytest.raises(InvalidJobError, match="traceparent") as caught:
        asked(traceparent=text)
    assert caught.value.field == "traceparent"


def test_a_program_without_tracing_names_none() -> None:
    assert asked() is None
    assert asked(traceparent=HERE) == HERE


def test_the_span_of_the_program_is_the_one(monkeypatch: pytest.MonkeyPatch) -> None:
    _opentelemetry(monkeypatch, lambda carrier: carrier.update(traceparent=HERE, tracestate="x=y"))
    assert asked() == HERE
    assert asked(traceparent=THERE) == THERE


def _breaks(_: dict[str, str]) -> None:
    raise RuntimeError("a propagator of the program")


@pytest.mark.parametrize(
    "inject", [_breaks, lambda _: None, lambda carrier: carrier.update(traceparent="00-no")], ids=["fails", "none", "odd"]
)
def test_no_job_is_lost_for_the_sake_of_its_trace(
    monkeypatch: pytest.MonkeyPatch, inject: Callable[[dict[str, str]], object]
) -> None:
    _opentelemetry(monkeypatch, inject)
    assert asked() is None


def test_a_job_that_asks_for_another_one_hands_its_trace_on() -> None:
    job = context.CurrentJob(
        "id", 1, 0, "shop", lambda _: None, cls="a.B", method="run", parameters=[], traceparent=HERE
    )
    with context.running(job):
        assert asked() == HERE
    assert asked() is None


def test_programs_that_the_job_starts_find_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(trace.VARIABLE, THERE)
    trace.enter(HERE)
    assert os.environ[trace.VARIABLE] == HERE
    trace.enter(None)
    assert trace.VARIABLE not in os.environ


def test_a_job_of_a_test_has_it() -> None:
    with eager():
        assert run_background_job(Traced, "trace", traceparent=HERE).result() == HERE
        assert run_background_job(Traced, "trace").result() is None
