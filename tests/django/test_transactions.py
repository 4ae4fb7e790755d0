"""The row and the task: what is sent when, with a real database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, transaction
from django.tasks.exceptions import TaskResultDoesNotExist  # pyright: ignore[reportMissingModuleSource] - Django 6
from django.tasks.signals import task_enqueued  # pyright: ignore[reportMissingModuleSource] - as above
from django.test import override_settings

from bgjobs import UnreachableError

if TYPE_CHECKING:
    from orders.models import Order

    from bgjobs.testing import RecordedJobs


def test_sent_when_it_is_committed(anywhere: str, tasks: Any) -> None:
    heard: list[Any] = []

    def hear(task_result: Any, **_: Any) -> None:
        heard.append(task_result)

    task_enqueued.connect(hear)
    try:
        with transaction.atomic():
            with transaction.atomic():
                result = tasks.noop.enqueue()
            assert result.id
            assert result.enqueued_at is None
            with pytest.raises(TaskResultDoesNotExist):
                result.refresh()
            assert heard == []
    finally:
        task_enqueued.disconnect(hear)
    assert heard == [result]
    assert result.enqueued_at is not None
    assert tasks.noop.get_result(result.id).id == result.id


def test_not_sent_when_it_is_rolled_back(jobs: RecordedJobs, tasks: Any) -> None:
    def fails(*args: Any) -> None:
        with transaction.atomic():
            tasks.noop.enqueue(*args)
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    with transaction.atomic():
        with pytest.raises(LookupError):
            fails("inner")
        tasks.noop.enqueue("outer")

    assert [job.parameters for job in jobs] == [["outer"]]


async def test_from_a_coroutine(jobs: RecordedJobs, tasks: Any) -> None:
    """The transaction is that of the thread for code that is not async."""
    seen: list[int] = []

    async def fulfil() -> None:
        await tasks.noop.aenqueue()
        seen.append(len(jobs))

    def in_transaction() -> None:
        from asgiref.sync import async_to_sync

        with transaction.atomic():
            async_to_sync(fulfil)()

    await sync_to_async(in_transaction, thread_sensitive=True)()

    assert (seen, len(jobs)) == ([0], 1)


def test_at_once_if_the_settings_say_so(jobs: RecordedJobs, tasks: Any) -> None:
    options = {"enqueue_on_commit": False}
    with override_settings(TASKS={"default": {"BACKEND": "bgjobs.django.Backend", "OPTIONS": options}}):
        with transaction.atomic():
            result = tasks.noop.enqueue()
            assert len(jobs) == 1
        assert result.is_finished


def test_a_server_that_is_away_at_the_commit(tasks: Any, orders: type[Order]) -> None:
    """The row is there, and the caller hears of it; what is to be sent after that is the outbox's."""

    def buy() -> None:
        with transaction.atomic():
            orders.objects.create(customer="away")
            tasks.noop.enqueue()

    with pytest.raises(UnreachableError, match="again"):
        buy()
    assert orders.objects.filter(customer="away").exists()


def test_transactions_by_hand(jobs: RecordedJobs, tasks: Any) -> None:
    """Nobody says when these are committed, so Django refuses to wait for it."""
    connection.ensure_connection()
    transaction.set_autocommit(False)
    try:
        with pytest.raises(transaction.TransactionManagementError, match="manual transaction management"):
            tasks.noop.enqueue()
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert len(jobs) == 0


def test_a_test_case_of_django(jobs: RecordedJobs, tasks: Any) -> None:
    """As the page says: it never commits, and runs what waits for a commit when it is asked to."""
    import unittest

    from django.test import TestCase

    class Orders(TestCase):
        def runTest(self) -> None:  # noqa: N802 - unittest's name
            with self.captureOnCommitCallbacks(execute=True) as callbacks:
                tasks.noop.enqueue()
                assert len(jobs) == 0
            assert (len(callbacks), len(jobs)) == (1, 1)

    done = unittest.TextTestRunner().run(Orders())
    assert done.wasSuccessful(), [*done.errors, *done.failures]
