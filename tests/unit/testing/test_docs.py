"""The examples of docs/testing.md, docs/client.md and docs/jobs.md work as they stand there."""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs import Abort, enqueue, run_background_job
from bgjobs.testing import eager, within_job
from tests.unit.testing.pages import DOCS, blocks

from .test_plugin import run_pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def examples(page: str) -> str:
    """The Python of a page, from top to bottom."""
    return "\n\n".join(blocks(page))


def test_the_page_about_testing(tmp_path: Path) -> None:
    code = examples("testing.md")
    (tmp_path / "test_page.py").write_text(code, encoding="utf-8")

    said = run_pytest(tmp_path)

    assert f"{code.count('def test_')} passed" in said


def test_the_page_about_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example by itself, but for those that only show a signature."""
    monkeypatch.setenv("BGJOBS_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(sys, "path", [str(DOCS.parent / "examples" / "shop"), *sys.path])
    found = [one for one in blocks("client.md") if "import " in one]
    assert len(found) > 5

    with eager() as jobs:
        for number, one in enumerate(found):
            names: dict[str, Any] = {}
            exec(compile(one, f"example {number} of client.md", "exec"), names)  # noqa: S102 - that is what it is for
            if "close_month" in names:
                assert asyncio.run(names["close_month"](2026, 11))["invoices"] == 5

    # `print` and `assert` say the rest: what was asked for twice is there once.
    assert [(job.cls, job.outcome) for job in jobs] == [("shop.jobs.Invoices", "succeeded")] * 19
    for name in ("shop.jobs", "shop"):  # another test may have one of its own
        del sys.modules[name]
    assert {job.parameters["country"] for job in jobs if isinstance(job.parameters, dict)} == {"at"}


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The page about jobs, as a module."""
    (tmp_path / "page").mkdir()
    (tmp_path / "page/about_jobs.py").write_text(examples("jobs.md"), encoding="utf-8")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield importlib.import_module("page.about_jobs")
    for name in ("page.about_jobs", "page"):
        del sys.modules[name]


@pytest.mark.parametrize(
    ("name", "parameters", "result"),
    [
        ("Invoices.render", {"year": 2026, "month": 11}, {"invoices": 5, "folder": "invoices/de/2026/11"}),
        ("Imports.load", [["a", "b"]], 2),
        ("Weather.headers", [], {}),
        ("Payments.charge", [9.5], "charged"),
        ("Reports.build", [3], 3),
        ("Copies.copy", [["a", "b", "broken", "c"]], 2),
        ("Prices.fetch", ["acme"], "fetched"),
        ("Deliveries.announce", [7], "announced"),
    ],
)
def test_the_jobs_of_the_page_about_jobs(page: Any, name: str, parameters: Any, result: object) -> None:
    cls, method = name.split(".")
    with eager(raise_errors=False):
        assert run_background_job(getattr(page, cls), method, parameters).result() == result


def test_the_function_of_the_page_about_jobs(page: Any) -> None:
    with eager():
        assert enqueue(page.send, "ann@example.com").result() == "Your invoice to ann@example.com"
        assert run_background_job("page.about_jobs", "send", ["ann", "Hello"]).result() == "Hello to ann"


def test_what_else_the_page_about_jobs_shows(page: Any) -> None:
    with eager() as jobs, pytest.raises(Abort):
        run_background_job(page.Payments, "charge", [0])
    with eager(raise_errors=False) as jobs:
        failed = run_background_job(page.Payments, "charge", [0])
        assert page.charge_again(failed, 5).result() == "charged"
    with within_job(stopping=True), pytest.raises(InterruptedError):
        page.Reports().build(3)

    assert [job.outcome for job in jobs] == ["aborted", "succeeded"]
    with eager(raise_errors=False) as jobs:
        page.announce_patiently(7)
        page.announce_patiently(7).rerun(max_retries=1)
    # A TimeoutError is none of the call's exceptions, whatever the rules of the class are.
    assert [(job.outcome, len(job.attempts)) for job in jobs] == [("aborted", 1)] * 3
    with eager(raise_errors=False) as jobs:
        run_background_job(page.Deliveries, "announce", [-1])
        run_background_job(page.Deliveries, "announce", [7], max_retries=1)
        run_background_job(page.Prices, "fetch", ["acme"], max_retries=0)
    assert [(job.outcome, len(job.attempts), job.retry_after) for job in jobs] == [
        ("aborted", 3, None),
        ("error", 2, 2.0),
        ("error", 1, 30.0),
    ]
