"""The example's jobs do what they say."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .conftest import JOB_ID

if TYPE_CHECKING:
    from .conftest import Pod

SHOP = Path(__file__).parents[3] / "examples" / "shop"


@pytest.fixture
def shop(pod: Pod) -> Pod:
    pod.environ["PYTHONPATH"] += os.pathsep + str(SHOP)
    pod.environ["SHOP_LEDGER"] = str(pod.folder / "ledger.txt")
    return pod


def call(shop: Pod, name: str, parameters: list[Any], **more: Any) -> None:
    cls, method = name.split(".")
    changes = {"class": f"shop.jobs.{cls}", "parameters": parameters, "approved_classes": ["shop.jobs.*"]}
    shop.call(method, **changes, **more)


@pytest.mark.parametrize(
    ("name", "parameters", "code", "outcome", "says"),
    [
        ("Invoices.render", [2026, 11], 0, "succeeded", "invoice DE-2026-11-0005 rendered"),
        ("Invoices.total", [], 0, "succeeded", "0 months are rendered"),
        ("Invoices.render", [2026, 13], 64, "aborted", "there is no month 13"),
        ("Orders.hold", [0], 0, "succeeded", "holding the order for 0 s"),
        ("Orders.stubborn", [0], 0, "succeeded", ""),
        ("Payments.charge", [9.5], 1, "error", "PaymentRefused: the bank refused 9.50 EUR"),
        ("Mail.send", ["ann@example.com", "Hello"], 0, "succeeded", "to ann@example.com: Hello"),
        ("Flaky.until_attempt", [2], 1, "error", "attempt 1: the warehouse does not answer"),
        ("Flaky.rate_limited", [2, 5], 1, "error", "Retry: rate limited"),
        ("Flaky.until_attempt", [1], 0, "succeeded", ""),
        ("Reports.slow", [0.01], 0, "succeeded", "step 1 of 1"),
        ("Imports.rows", [2500], 0, "succeeded", "row 2000"),
        ("Env.dump", [], 0, "succeeded", ""),
    ],
)
def test_each_job(shop: Pod, name: str, parameters: list[Any], code: int, outcome: str, says: str) -> None:
    call(shop, name, parameters)

    got, _, err = shop.runs()

    assert (got, shop.finished()["outcome"]) == (code, outcome), err
    assert says in shop.api.log


def test_what_invoices_tell(shop: Pod) -> None:
    call(shop, "Invoices.render", [2026, 11, "at"])

    shop.runs()

    assert shop.finished()["result"] == {"invoices": 5, "folder": "invoices/at/2026/11"}
    assert shop.api.progress[-1] == {"done": 5, "total": 5, "message": "invoice 5 of 5"}


def test_what_the_environment_tells(shop: Pod) -> None:
    call(shop, "Env.dump", [])

    shop.runs()

    result = shop.finished()["result"]
    assert "BGJOBS_JOB_ID" in result["environment"]
    assert (result["uid"], result["kubernetes_token"]) == (os.getuid(), False)


def test_the_ledger_counts(shop: Pod) -> None:
    call(shop, "Ledger.append", ["order-7"])
    shop.runs()
    shop.runs()

    lines = (shop.folder / "ledger.txt").read_text(encoding="utf-8").splitlines()
    fields = [line.split(" ") for line in lines]
    assert [(job, attempt) for job, attempt, _, _ in fields] == [(JOB_ID, "1"), (JOB_ID, "1")]
    tokens = {token for _, _, token, _ in fields}
    assert len(tokens) == 2
    assert all(token.endswith("-order-7") for token in tokens)


def test_the_ledger_waits_for_a_file(shop: Pod) -> None:
    call(shop, "Ledger.until", ["end"])
    shop.launch()
    shop.api.wait_for(lambda api: "line 1\n" in api.log)
    (shop.folder / "end").touch()

    shop.ends()

    lines = shop.api.log.splitlines()
    assert lines == [f"line {number}" for number in range(1, shop.finished()["result"] + 1)]


@pytest.mark.parametrize(
    ("name", "says", "grace", "exit_code"),
    [("hold", "holding", "30", -15), ("stubborn", "still here", "0.6", -9), ("careful", "ready", "30", 1)],
)
def test_how_orders_hear_sigterm(shop: Pod, name: str, says: str, grace: str, exit_code: int) -> None:
    shop.environ["BGJOBS_GRACE_SECONDS"] = grace
    call(shop, f"Orders.{name}", [60])
    shop.launch()
    shop.api.wait_for(lambda api: says in api.log)
    shop.terminate()

    code, _, _ = shop.ends()

    assert code == 75
    assert (shop.finished()["outcome"], shop.finished()["exit_code"]) == ("disrupted", exit_code)
