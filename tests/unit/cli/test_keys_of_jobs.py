"""`bgjobs run --key`, and ids that were derived from keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.ids import key_job_id
from tests.unit.cli.fakes import JOB_ID, JOBS, job

if TYPE_CHECKING:
    from tests.unit.cli.fakes import FakeApi, Terminal

KEY = "invoice-2026-11"
DERIVED = key_job_id("shop", KEY)


def test_a_key_is_sent_in_place_of_an_id(terminal: Terminal, api: FakeApi) -> None:
    api.on("POST", JOBS, job(id=DERIVED))

    ran = terminal.run("run", "shop.jobs.Mail.send", "--key", KEY)

    assert (ran.code, ran.text) == (0, f"{DERIVED}\n")
    assert [(body["key"], "id" in body) for body in api.bodies()] == [(KEY, False)]


def test_a_whole_id_of_a_key_is_not_looked_for(terminal: Terminal, api: FakeApi) -> None:
    api.on("GET", f"{JOBS}/{DERIVED}", job(id=DERIVED))

    assert terminal.run("show", DERIVED, "-o", "name").text == f"{DERIVED}\n"
    assert len(api.requests) == 1


def test_an_id_or_a_key(terminal: Terminal) -> None:
    ran = terminal.run("run", "shop.jobs.Mail.send", "--key", KEY, "--id", JOB_ID)

    assert ran.code == 2
    assert "and not both" in ran.err
    assert "--key" in terminal.run("run", "shop.jobs.Mail.send", "--key", KEY, "--each", "x.jsonl").err


def test_a_key_that_is_none(terminal: Terminal) -> None:
    assert terminal.run("run", "shop.jobs.Mail.send", "--key", "").code == 2
