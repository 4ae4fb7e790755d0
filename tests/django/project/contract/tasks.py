"""Tasks of every kind that Django's documentation speaks of."""

from __future__ import annotations

import sys
from datetime import date
from typing import TYPE_CHECKING, Any

from django.tasks import task  # pyright: ignore[reportMissingModuleSource] - Django 6

from bgjobs import Abort, Retry, current_job, retry_policy

if TYPE_CHECKING:
    from django.tasks import TaskContext  # pyright: ignore[reportMissingModuleSource] - as above


class RefusedByTheBankError(Exception):
    pass


@task
def noop(*args: Any, **kwargs: Any) -> None:
    pass


@task()
async def noop_async(*args: Any, **kwargs: Any) -> None:
    pass


@task
def meaning() -> int:
    return 42


@task
def sides(first: int, /, second: int, *, third: int = 3) -> list[int]:
    return [first, second, third]


@task
def raw() -> Any:
    return {"bytes": b"text", "tuple": (1, 2)}


@task
def not_json() -> Any:
    return date(2026, 11, 29)


@task
def value_error() -> None:
    raise ValueError("this task failed")


@task
def own_error() -> None:
    raise RefusedByTheBankError("no cover")


@task
def exits() -> None:
    sys.exit("this task ended")


@task
def aborts() -> None:
    raise Abort("never again")


@task
@retry_policy(retry_on=ConnectionError)
def by_policy() -> None:
    raise LookupError("not in retry_on")


@task
def second_time() -> int:
    if current_job().attempt == 1:
        raise Retry(after=0.01, reason="not yet")
    return current_job().attempt


@task(takes_context=True)
def in_context(context: TaskContext[Any, Any], factor: int) -> dict[str, Any]:
    result = context.task_result
    asked = result.enqueued_at
    return {
        "id": result.id,
        "attempt": context.attempt,
        "args": result.args,
        "status": str(result.status),
        "asked": asked is not None,
        "times": factor,
    }


@task(priority=10, queue_name="mail")
def mail() -> str:
    return "sent"


@task
def enqueues() -> str:
    return meaning.enqueue().id


def plain() -> str:
    return "no task"


class Orders:
    """A plain job of a Django project."""

    def count(self) -> int:
        from orders.models import Order

        return Order.objects.count()
