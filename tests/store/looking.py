"""Somebody looks at what a job does: the wish, and the answer of a pod, as the machine of the store sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_core.store.store import Store

NOTHING_DONE: Final = frozenset({"kept", "missing", "go_away"})


def looks(store: Store, job_id: str, pod_uid: str, number: int) -> dict[str, Callable[[], Awaitable[str]]]:
    """Both verbs, each of which gives its first word; the pod answers to the wish of this number in that attempt."""

    async def ask() -> str:
        return (await store.ask_stack(job_id=job_id)).did

    async def keep() -> str:
        return await store.keep_stack(job_id=job_id, pod_uid=pod_uid, attempt=number, number=number, words="in main")

    return {"ask_stack": ask, "keep_stack": keep}
