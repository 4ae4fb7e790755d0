"""What every verb does to a job in every state. Read `TABLE` first: it is the life cycle, seen from the verbs.

A cell says what the verb answers, and what it does:

    stray             refused, or nothing to do: not one key in Redis has changed
    recorded*         something was written, the state is as before
    moved>succeeded   the job went to that state

Each cell is tested on every backend, and the verb is sent twice, as redis-py does after a lost reply.
The jobs are those of `Life.in_state`; `stopping!` has the verdict lost, `gone` is an id that nobody has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import pytest

from bgjobs.protocol import RUN
from bgjobs_core.jobs import lifecycle
from bgjobs_core.jobs.lifecycle import STATES, TRANSITIONS
from bgjobs_core.redis.errors import StoreError
from bgjobs_core.store import keys
from tests.store import contents, invariants
from tests.store.builders import QUEUE_KEY, a_job, a_queue
from tests.store.life import DELAY_SECONDS, EPOCH, KUBE, POD, POD_NAME, Life

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.redis.connection import Client
    from bgjobs_core.store.store import Reply
    from tests.store.builders import JobBuilder
    from tests.store.checked_store import CheckedStore, Clock

TABLE: Final = """
verb                       | blocked             scheduled           queued              paused              launching          launched         stopping        stopping!    succeeded  failed    cancelled gone
enqueue                    | exists              exists              exists              exists              exists             exists           exists          exists       exists     exists    exists    created>queued
enqueue other              | conflict            conflict            conflict            conflict            conflict           conflict         conflict        conflict     conflict   conflict  conflict  created>queued
promote                    | 0                   1>queued            0                   0                   0                  0                0               0            0          0         0         0
claim                      | 0                   0                   1>launching         0                   0                  0                0               0            0          0         0         0
claim, not leader          | not_leader          not_leader          not_leader          not_leader          not_leader         not_leader       not_leader      not_leader   not_leader not_leader not_leader not_leader
claim, queue paused        | closed              closed              closed              closed              closed             closed           closed          closed       closed     closed    closed    closed
decline to scheduled       | kept                kept                kept                kept                declined>scheduled kept             kept            kept         kept       kept      kept      kept
decline to failed          | kept                kept                kept                kept                declined>failed    kept             kept            kept         kept       kept      kept      kept
decline, not leader        | not_leader          not_leader          not_leader          not_leader          not_leader         not_leader       not_leader      not_leader   not_leader not_leader not_leader not_leader
bind                       | stray               bound>launched      bound>launched      stray               bound>launched     bound            bound           bound        bound      bound     stray     missing
bind other KubeJob         | stray               bound>launched      bound>launched      stray               bound>launched     stray            stray           stray        stray      stray     stray     missing
start                      | wait                run>launched        run>launched        wait                run>launched       run              go_away         go_away      done       go_away   go_away   go_away
start, second pod          | wait                run>launched        run>launched        wait                run>launched       run*             go_away         go_away      done       go_away   go_away   go_away
start, other KubeJob       | wait                run>launched        run>launched        wait                run>launched       go_away          go_away         go_away      go_away    go_away   go_away   go_away
beat                       | go_away             go_away             go_away             go_away             go_away            continue*        stop*           stop*        go_away    go_away   go_away   go_away
beat, second pod           | go_away             go_away             go_away             go_away             go_away            go_away          go_away         go_away      go_away    go_away   go_away   go_away
finish succeeded           | go_away             go_away             go_away             go_away             go_away            recorded>succeeded recorded*     recorded*    recorded   recorded  go_away   go_away
finish error               | go_away             go_away             go_away             go_away             go_away            recorded*        recorded*       recorded*    recorded   recorded  go_away   go_away
finish aborted             | go_away             go_away             go_away             go_away             go_away            recorded>failed  recorded*       recorded*    recorded   recorded  go_away   go_away
finish rejected            | go_away             go_away             go_away             go_away             go_away            recorded>failed  recorded*       recorded*    recorded   recorded  go_away   go_away
finish, second pod         | go_away             go_away             go_away             go_away             go_away            go_away          go_away         go_away      go_away    go_away   go_away   go_away
observe complete           | stray               stray               stray               stray               stray              moved>succeeded  same            same         same       same      stray     missing
observe failed             | stray               stray               stray               stray               stray              moved>failed     same            same         same       same      stray     missing
observe absent             | stray               stray               stray               stray               stray              moved>failed     moved>cancelled moved>failed same       same      stray     missing
observe other KubeJob      | stray               stray               stray               stray               stray              stray            stray           stray        stray      stray     stray     missing
observe no KubeJob         | same                same                same                same                same               stray            stray           stray        stray      stray     same      missing
observe end of attempt     | stray               stray               stray               stray               stray              noted*           noted*          noted*       same       same      stray     missing
observe phase              | stray               stray               stray               stray               stray              noted*           same            same         same       same      stray     missing
stop cancelled             | cancelled>cancelled cancelled>cancelled cancelled>cancelled cancelled>cancelled stopping>stopping  stopping>stopping stopping       stopping     ended      ended     ended     missing
stop lost                  | kept                kept                kept                kept                stopping>stopping  stopping>stopping stopping       stopping     ended      ended     ended     missing
stop disrupted             | kept                kept                kept                kept                stopping>stopping  stopping>stopping stopping       stopping     ended      ended     ended     missing
stop never_started         | kept                kept                kept                kept                stopping>stopping  kept             stopping        stopping     ended      ended     ended     missing
retire the KubeJob         | kept                kept                kept                kept                kept               kept             kept            kept         retired*   retired*  retired*  missing
retire the record          | kept                kept                kept                kept                kept               kept             kept            kept         retired>gone retired>gone retired>gone missing
retire the record, too soon| kept                kept                kept                kept                kept               kept             kept            kept         kept       kept      kept      missing
settled                    | settled*            settled*            settled*            settled*            settled*           settled*         settled*        settled*     settled*   settled*  settled*  settled
settled, older rev         | dirty               dirty               dirty               dirty               dirty              dirty            dirty           dirty        dirty      dirty     dirty     settled
"""  # noqa: E501 - a table

# What a verb answers when it is sent again after a lost reply; the others say the same once more.
AGAIN: Final = {
    ("enqueue", "created"): "exists",
    ("promote", "1"): "0",
    ("claim", "1"): "0",  # the launch loop reads `launching`, so nothing hangs on the reply
    ("decline", "declined"): "kept",
    ("observe", "moved"): "same",
    ("observe", "noted"): "same",
    ("stop", "cancelled"): "ended",
    ("retire the record", "retired"): "missing",
}

COLUMNS, *ROWS = [line for line in TABLE.splitlines() if line]
STATE_COLUMNS: Final = COLUMNS.partition("|")[2].split()
CELLS: Final = {
    (line.partition("|")[0].strip(), state): cell
    for line in ROWS
    for state, cell in zip(STATE_COLUMNS, line.partition("|")[2].split(), strict=True)
}


class Verbs:
    """Every row of the table as a call; the job may be one that is not there."""

    def __init__(self, store: CheckedStore, clock: Clock, job: JobRecord, builder: JobBuilder) -> None:
        self.store, self.clock, self.job, self.builder = store, clock, job, builder

    async def prepare(self, row: str) -> None:
        """What must be so before the verb is sent; a part of the state before."""
        if row == "promote":
            self.clock.forward(DELAY_SECONDS + 1)
        if row == "claim, queue paused":
            await self.store.put_queue(QUEUE_KEY, a_queue(paused=True))
        if row == "retire the record":
            await self.store.retire(self.job.id, "kube_job")
            await self.store.settled(self.job.id, self.job.rev)
        if row.startswith("retire the record"):
            self.clock.forward(3601 if row == "retire the record" else 3500)

    async def send(self, row: str) -> str:
        """The reply's first word."""
        calls: dict[str, Callable[[], Awaitable[str]]] = {
            "enqueue": lambda: _did(self.store.enqueue(self.builder.build())),
            "enqueue other": lambda: _did(self.store.enqueue(self.builder.with_parameters("[43]").build())),
            "promote": self._promote,
            "claim": lambda: self._claim(EPOCH),
            "claim, not leader": lambda: self._claim("epoch-0"),
            "claim, queue paused": lambda: self._claim(EPOCH),
            "decline to scheduled": lambda: _did(self.store.decline(EPOCH, self.job.id, "scheduled", 1000, "quota")),
            "decline to failed": lambda: _did(self.store.decline(EPOCH, self.job.id, "failed", 0, "bad manifest")),
            "decline, not leader": lambda: _did(self.store.decline("epoch-0", self.job.id, "failed", 0, "late")),
            "bind": lambda: _did(self.store.bind(self.job.id, KUBE)),
            "bind other KubeJob": lambda: _did(self.store.bind(self.job.id, "uid-of-another")),
            "start": lambda: self._start(KUBE, POD),
            "start, second pod": lambda: self._start(KUBE, "second-pod"),
            "start, other KubeJob": lambda: self._start("uid-of-another", "pod-of-another"),
            "beat": lambda: self._beat(POD),
            "beat, second pod": lambda: self._beat("second-pod"),
            "finish succeeded": lambda: self._finish(POD, "succeeded"),
            "finish error": lambda: self._finish(POD, "error"),
            "finish aborted": lambda: self._finish(POD, "aborted"),
            "finish rejected": lambda: self._finish(POD, "rejected"),
            "finish, second pod": lambda: self._finish("second-pod", "succeeded"),
            "observe complete": lambda: self._observe(KUBE, "complete"),
            "observe failed": lambda: self._observe(KUBE, "failed"),
            "observe absent": lambda: self._observe(KUBE, "absent"),
            "observe other KubeJob": lambda: self._observe("uid-of-another", "absent"),
            "observe no KubeJob": lambda: self._observe("", "absent"),
            "observe end of attempt": lambda: _did(
                self.store.observe_attempt(self.job.id, KUBE, POD, "oom_killed", 137, '{"type":"OOMKilled"}')
            ),
            "observe phase": lambda: _did(self.store.observe_phase(self.job.id, KUBE, "unreachable", "node is gone")),
            "stop cancelled": lambda: _did(self.store.stop(self.job.id, "cancelled", "ada", "")),
            "stop lost": lambda: _did(self.store.stop(self.job.id, "lost", "bgjobs", "")),
            "stop disrupted": lambda: _did(self.store.stop(self.job.id, "disrupted", "bgjobs", "")),
            "stop never_started": lambda: _did(self.store.stop(self.job.id, "never_started", "bgjobs", "")),
            "retire the KubeJob": lambda: self.store.retire(self.job.id, "kube_job"),
            "retire the record": lambda: self.store.retire(self.job.id, "record"),
            "retire the record, too soon": lambda: self.store.retire(self.job.id, "record"),
            "settled": lambda: self.store.settled(self.job.id, self.job.rev),
            "settled, older rev": lambda: self.store.settled(self.job.id, self.job.rev - 1),
        }
        return await calls[row]()

    async def _promote(self) -> str:
        return str((await self.store.promote()).count)

    async def _claim(self, epoch: str) -> str:
        claimed = await self.store.claim(epoch, QUEUE_KEY, 5)
        return str(len(claimed.ids)) if claimed.did == "ok" else claimed.did

    async def _start(self, kube_uid: str, pod_uid: str) -> str:
        started = await self.store.start(self.job.id, kube_uid, pod_uid, POD_NAME)
        assert (started.attempt is not None) == (started.action == RUN)
        assert bool(started.reason) == (started.action != RUN)
        return started.action

    async def _beat(self, pod_uid: str) -> str:
        action, _ = await self.store.beat(self.job.id, pod_uid, 1, (0, 12, b"packed"), '{"done":1}', 600)
        return action

    async def _finish(self, pod_uid: str, outcome: str) -> str:
        return await _did(self.store.finish(self.job.id, pod_uid, 1, outcome, '{"type":"E"}', "7", 1))

    async def _observe(self, kube_uid: str, what: Literal["complete", "failed", "absent"]) -> str:
        outcome = "succeeded" if what == "complete" else "error"
        return await _did(self.store.observe_end(self.job.id, kube_uid, what, outcome, "seen"))


async def _did(reply: Awaitable[Reply]) -> str:
    return (await reply).did


@pytest.mark.parametrize("row", sorted({row for row, _ in CELLS}))
async def test_row(row: str, store: CheckedStore, client: Client, clock: Clock, life: Life) -> None:
    for state in STATE_COLUMNS:
        problem = await _problem_with_cell(row, state, store, client, clock, life)
        assert not problem, f"{row} | {state}: {problem}"
        await client.flushall()
        clock.offset_ms = 0


async def _problem_with_cell(
    row: str, state: str, store: CheckedStore, client: Client, clock: Clock, life: Life
) -> object:
    expected, _, target = CELLS[row, state].partition(">")
    expected, writes = expected.removesuffix("*"), bool(target) or expected.endswith("*")
    builder = a_job().of_request().retried(3)
    if state in {"scheduled", "blocked", "paused"}:
        builder = builder.delayed(DELAY_SECONDS)
    await life.leader()
    job = await life.in_state("queued" if state == "gone" else state, builder)
    if state == "gone":
        await client.flushall()
        await life.leader()
    verbs = Verbs(store, clock, job, builder)
    await verbs.prepare(row)
    before = await contents.read(client)

    if (said := await verbs.send(row)) != expected:
        return f"it answers {said}, not {expected}"
    after = await contents.read(client)
    record = after.jobs().get(job.id)
    if (became := record.state.value if record else "gone") != (target or state.rstrip("!")):
        return f"the job is {became}"
    if writes == (before == after):
        return f"it wrote {before.differences(after)}"

    # The reply was lost: the same again.
    verb = row if row.startswith("retire") else row.split(maxsplit=1)[0].rstrip(",")
    if (said := await verbs.send(row)) != AGAIN.get((verb, expected), expected):
        return f"it answers {said} when it comes again"
    if changes := after.differences(await contents.read(client)):
        return f"when it comes again, it changes {changes}"
    return invariants.broken(after)


# ------------------------------------------------------------- the table against lifecycle.py
def _arrows() -> set[tuple[str, str, str]]:
    found: set[tuple[str, str, str]] = set()
    for (row, state), cell in CELLS.items():
        target = cell.partition(">")[2]
        if target and target != "gone":
            source = lifecycle.NEW if state == "gone" else state.rstrip("!")
            found.add((row.split()[0].rstrip(","), source, target))
    return found


def test_table_has_a_column_for_every_state() -> None:
    assert {column.rstrip("!") for column in STATE_COLUMNS} == {row.state.value for row in STATES} | {"gone"}


def test_every_arrow_of_the_lifecycle_is_seen_in_the_table_and_no_other() -> None:
    drawn = {(t.verb, source, t.target.value) for t in TRANSITIONS for source in t.sources}
    delayed_enqueue = ("enqueue", lifecycle.NEW, "scheduled")  # test_enqueue.py

    assert _arrows() | {delayed_enqueue} == drawn


async def test_a_move_that_is_no_arrow_is_refused_whatever_led_to_it(
    store: CheckedStore, client: Client, clock: Clock, life: Life
) -> None:
    """The last guard: here the index of due jobs holds one that is paused, as by hand or by a bug."""
    job = await life.in_state("paused")
    await client.zadd(keys.due(), {job.id: 0})
    before = await contents.read(client)

    with pytest.raises(StoreError, match="promote may not move a job from paused to queued"):
        await store.promote()

    assert before.differences(await contents.read(client)) == []
    await client.zrem(keys.due(), job.id)
