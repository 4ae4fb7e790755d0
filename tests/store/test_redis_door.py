"""The one door to Redis: our own errors, whatever redis-py and the server say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis import exceptions as rex

from bgjobs_core.redis.errors import StoreError, StoreFullError, StoreUnavailableError, translate
from bgjobs_core.store import keys
from bgjobs_core.store.assembly import VERBS
from bgjobs_core.store.doorbell import Doorbell
from bgjobs_core.store.scripts import Scripts
from tests.store.servers import REAL

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client
    from bgjobs_core.store.scripts import Argument
    from tests.store.checked_store import CheckedStore

ERRORS: dict[str, tuple[Exception, type[StoreError]]] = {
    "refused": (rex.ConnectionError("Error 111 connecting"), StoreUnavailableError),
    "timed out": (rex.TimeoutError("Timeout reading"), StoreUnavailableError),
    "loading": (rex.BusyLoadingError("Redis is loading the dataset"), StoreUnavailableError),
    "pool is empty": (rex.MaxConnectionsError("Too many connections"), StoreUnavailableError),
    "no socket": (FileNotFoundError(2, "No such file"), StoreUnavailableError),
    "full": (rex.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), StoreFullError),
    "full, in a script": (rex.ResponseError("OOM command not allowed, script: 12, on @user_script:4"), StoreFullError),
    "wrong password": (rex.AuthenticationError("WRONGPASS"), StoreUnavailableError),
    "disk full": (rex.ResponseError("MISCONF Errors writing to the AOF file"), StoreError),
    "anything else": (rex.ResponseError("WRONGTYPE Operation against a key"), StoreError),
}


@pytest.mark.parametrize(("theirs", "ours"), ERRORS.values(), ids=ERRORS)
def test_every_error_has_a_meaning_of_ours(theirs: Exception, ours: type[StoreError]) -> None:
    assert type(translate(theirs)) is ours


async def test_what_a_script_says_comes_as_a_store_error(store: CheckedStore, client: Client) -> None:
    await client.set(keys.dues(), "not a sorted set")
    await client.set(keys.due("shop"), "not a sorted set")

    with pytest.raises(StoreError, match="WRONGTYPE"):
        await store.promote()
    with pytest.raises(StoreError, match="WRONGTYPE"):
        await store.ids_in(keys.due, "shop")
    await client.delete(keys.dues(), keys.due("shop"))


async def test_reads_translate_too(store: CheckedStore, client: Client) -> None:
    """A job is another matter (test_unreadable.py): one of them must not hide the others."""
    await client.set(keys.queue("shop/default"), "not a hash")

    with pytest.raises(StoreError, match="WRONGTYPE"):
        await store.queue("shop/default")
    with pytest.raises(StoreError, match="WRONGTYPE"):
        await store.queue_load("shop/default")
    await client.delete(keys.queue("shop/default"))


@pytest.mark.parametrize("backend", REAL, indirect=True)  # fakeredis fails in another way when it reads such a key
async def test_the_doorbell_translates_too(client: Client) -> None:
    await client.set(keys.wake(), "not a stream")

    with pytest.raises(StoreError, match="WRONGTYPE"):
        await Doorbell(client).wait(1)


async def test_no_script_makes_a_global(store: CheckedStore, client: Client) -> None:
    """A global variable is an error on a real server, and on fakeredis it breaks every script after it."""
    calls: dict[str, list[Argument]] = {
        "enqueue": ["s", "", None, {"queue": "n/q", "class": "c", "records_ms": 1, "max_retries": 0},
                    [{"id": "id", "digest": "d", "payload": "[]", "delay_ms": 0, "not_before_ms": 0, "priority": 0,
                      "request_name": "r"}]],
        "tally": ["n", 0, 10, 1, 2], "newest": [5, None, "", 0, ["n/q:queued/0:c"]],
        "promote": [10], "claim": ["e", "n/q", 1, 0], "decline": ["e", "id", "failed", 0, ""], "bind": ["id", "k"],
        "start": ["id", "k", "p", "name", None], "beat": ["id", "p", 1, None, 0, b"", "", "{}", 9],
        "ask_stack": ["id"], "keep_stack": ["id", "p", 1, 1, "in main"],
        "finish": ["id", "p", 1, "error", "", "", None, "{}", None], "observe_end": ["id", "k", "absent", None, ""],
        "observe_attempt": ["id", "k", "p", "lost", None, ""], "observe_phase": ["id", "k", "pending", ""],
        "observe_admission": ["id", "k", "no", "", 1],
        "stop": ["id", "cancelled", "a", ""], "retire": ["id", "record"], "settled": ["id", 1],
        "forget": ["n", "x"], "lead": ["e", "s"], "look": ["e"],
        "put_queue": ["n/q", {"max_concurrent": 1, "paused": 0}], "drop_queue": ["n/q"],
        "put_schedule": ["n/s", "1", None, {"shown": "{}"}], "schedule_wish": ["n/s", "1", "ada", "id"],
        "drop_schedule": ["n/s"],
        "note_gone": ["n/q", "gone"], "disown": ["n/q", "u", "gone", 20],
        "pause": ["id", "ada", "", None], "resume": ["id", "ada", "", None],
        "suspend": ["id", "ada", ""], "suspended": ["id", "k", "yes"], "run_now": ["id", "ada", ""],
        "set_priority": ["id", 1, "ada", ""], "note_rerun": ["id", "ada", "id-2"], "expire": [20], "unblock": [20],
        "hold": ["e", "older"], "release": [], "close_batch": ["id"],
        "put_hold": ["n", "hold", None, "a.*", "held", "[]", []], "drop_hold": ["n", "hold"], "let_go": [20],
        "set_aside": [20],
        "signing_key": ["k"], "start_bulk": ["b", "n", {"verb": "cancel"}], "stop_bulk": ["b", "ada"],
        "advance_bulk": ["b", "e", 0, "", "", "no", "", 1, {"skipped:ended": 1}], "drop_bulk": ["b", "n"],
        "report": ["leading", "pod", 1000, None, {"version": "1"}], "withdraw_report": ["leading", "pod"],
    }  # fmt: skip
    assert set(calls) == set(VERBS)
    scripts = Scripts(client)

    for verb, arguments in calls.items():
        assert await scripts.run(verb, *arguments)

    await client.flushall()
