"""`manage.py check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core import checks
from django.test import override_settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.local.dev_server import Dev


def said(**params: Any) -> list[str]:
    """What it says of a backend with these settings, by identifiers of messages."""
    with override_settings(TASKS={"default": {"BACKEND": "bgjobs.django.Backend", **params}}):
        return [f"{one.id} {one.msg}" for one in checks.run_checks() if str(one.id).startswith("bgjobs.")]


def test_all_is_well() -> None:
    assert said() == []


def test_names_of_queues_and_databases() -> None:
    found = said(QUEUES=["default", "My Queue", "x" * 64], OPTIONS={"database": "archive"})

    assert [one.partition(" ")[0] for one in found] == ["bgjobs.E001", "bgjobs.E001", "bgjobs.E002"]
    assert "'My Queue'" in found[0]
    assert "'archive'" in found[2]
    assert said(OPTIONS={"database": "archive", "enqueue_on_commit": False}) == []


def test_no_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BGJOBS_URL")
    monkeypatch.chdir(tmp_path)

    (one,) = said()

    assert one.startswith("bgjobs.W001 TASKS['default'] has no server: no server: set BGJOBS_URL")


def test_a_server_that_is_away() -> None:
    assert said(OPTIONS={}) == []  # it is not asked
    (one,) = said(OPTIONS={"check_server": True})

    assert one.startswith("bgjobs.W002 TASKS['default'] cannot be checked")


def test_what_the_server_would_refuse(dev: Dev, tasks: Any) -> None:
    everything = {"check_server": True}
    assert said(QUEUES=["default", "mail"], OPTIONS=everything) == []

    with override_settings(TASKS={"other": {"BACKEND": "bgjobs.django.Backend", "QUEUES": []}}):
        tasks.meaning.using(backend="other", queue_name="narrow")
        tasks.noop.using(backend="other", queue_name="missing")
    with override_settings(TASKS={"other": {"BACKEND": "bgjobs.django.Backend", "QUEUES": [], "OPTIONS": everything}}):
        found = [f"{one.id} {one.msg}" for one in checks.run_checks() if str(one.id).startswith("bgjobs.")]

    assert found == [
        "bgjobs.E004 The task contract.tasks.meaning may not run in the queue 'narrow': contract.tasks is not among "
        "its approved classes.",
        "bgjobs.E003 The task contract.tasks.noop is for the queue 'missing', which is not there.",
    ]
