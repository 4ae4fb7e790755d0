"""What every verb does to a job in every state. Read `TABLE` first: it is the life cycle, seen from the verbs.

A cell says what the verb answers, and what it does:

    stray             refused, or nothing to do: not one key in Redis has changed
    recorded*         something was written, the state is as before
    moved>succeeded   the job went to that state

Each cell is tested on every backend, and the verb is sent twice, as redis-py does after a lost reply.
The jobs are those of `Life.in_state`; `stopping!` has the verdict lost, `gone` is an id that nobody has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol

import pytest
from redis.exceptions import ResponseError

from bgjobs.protocol import RUN
from bgjobs.vocabulary import WAITING, OnParentFailure, Outcome, Phase, State
from bgjobs_core.jobs import lifecycle
from bgjobs_core.jobs.lifecycle import STATES, TRANSITIONS
from bgjobs_core.store import assembly, keys
from tests.store import contents, invariants
from tests.store.builders import QUEUE_KEY, a_job, a_queue
from tests.store.life import DELAY_SECONDS, EPOCH, KUBE, POD, POD_NAME, Life

EXPIRES_SECONDS: Final = 120  # more than a job is delayed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_core.jobs.record import JobRecord
    from bgjobs_core.redis.connection import Client
    from tests.store.builders import JobBuilder
    from tests.store.checked_store import CheckedStore, Clock

TABLE: Final = """
verb                       | blocked             scheduled           queued              paused              launching          launched         stopping        stopping!    succeeded  failed    cancelled gone
enqueue                    | exists              exists              exists              exists              exists             exists           exists          exists       exists     exists    exists    created>queued
enqueue other              | conflict            conflict            conflict            conflict            conflict           conflict         conflict        conflict     conflict   conflict  conflict  created>queued
promote                    | 0                   1>queued            0                   0                   0                  0                0               0            0          0         0         0
claim                      | 0                   0                   1>launching         0                   0                  0                0               0            0          0         0         0
claim, not leader          | not_leader          not_leader          not_leader          not_leader          not_leader         not_leader       not_leader      not_leader   not_leader not_leader not_leader not_leader
disown, queue is there     | kept                kept                kept                kept                kept               kept             kept            kept         kept       kept      kept      kept
disown, queue is gone      | 0                   0                   1>failed            0                   0                  0                0               0            0          0         0         0
claim, queue paused        | closed              closed              closed              closed              closed             closed           closed          closed       closed     closed    closed    closed
decline to scheduled       | kept                kept                kept                kept                declined>scheduled kept             kept            kept         kept       kept      kept      kept
decline to failed          | kept                kept                kept                kept                declined>failed    kept             kept            kept         kept       kept      kept      kept
decline, not leader        | not_leader          not_leader          not_leader          not_leader          not_leader         not_leader       not_leader      not_leader   not_leader not_leader not_leader not_leader
bind                       | stray               unclaimed           unclaimed           stray               bound>launched     bound            bound           bound        bound      bound     stray     missing
bind, Redis is held        | stray               bound>launched      bound>launched      stray               bound>launched     bound            bound           bound        bound      bound     stray     missing
bind other KubeJob         | stray               unclaimed           unclaimed           stray               bound>launched     stray            stray           stray        stray      stray     stray     missing
start                      | wait                wait                wait                wait                run>launched       run              go_away         go_away      done       go_away   go_away   go_away
start, Redis is held       | wait                run>launched        run>launched        wait                run>launched       run              go_away         go_away      done       go_away   go_away   go_away
start, second pod          | wait                wait                wait                wait                run>launched       run*             go_away         go_away      done       go_away   go_away   go_away
start, other KubeJob       | wait                wait                wait                wait                run>launched       go_away          go_away         go_away      go_away    go_away   go_away   go_away
start, suspended           | wait                wait                wait                wait                run>launched       wait             go_away         go_away      done       go_away   go_away   go_away
beat                       | go_away             go_away             go_away             go_away             go_away            continue*        stop*           stop*        go_away    go_away   go_away   go_away
beat, second pod           | go_away             go_away             go_away             go_away             go_away            go_away          go_away         go_away      go_away    go_away   go_away   go_away
finish succeeded           | go_away             go_away             go_away             go_away             go_away            recorded>succeeded recorded*     recorded*    recorded   recorded  go_away   go_away
finish error               | go_away             go_away             go_away             go_away             go_away            recorded*        recorded*       recorded*    recorded   recorded  go_away   go_away
finish aborted             | go_away             go_away             go_away             go_away             go_away            recorded>failed  recorded*       recorded*    recorded   recorded  go_away   go_away
finish rejected            | go_away             go_away             go_away             go_away             go_away            recorded>failed  recorded*       recorded*    recorded   recorded  go_away   go_away
finish, second pod         | go_away             go_away             go_away             go_away             go_away            go_away          go_away         go_away      go_away    go_away   go_away   go_away
observe_end complete       | stray               stray               stray               stray               stray              moved>succeeded  same            same         same       same      stray     missing
observe_end failed         | stray               stray               stray               stray               stray              moved>failed     same            same         same       same      stray     missing
observe_end absent         | stray               stray               stray               stray               stray              moved>failed     moved>cancelled moved>failed same       same      stray     missing
observe_end other KubeJob  | stray               stray               stray               stray               stray              stray            stray           stray        stray      stray     stray     missing
observe_end no KubeJob     | same                same                same                same                same               stray            stray           stray        stray      stray     same      missing
observe_attempt            | stray               stray               stray               stray               stray              noted*           noted*          noted*       same       same      stray     missing
observe_phase              | stray               stray               stray               stray               stray              noted*           same            same         same       same      stray     missing
observe_admission, no      | stray               stray               stray               stray               stray              noted*           same            same         same       same      stray     missing
observe_admission, yes     | stray               stray               stray               stray               stray              noted*           same            same         same       same      stray     missing
observe_admission, still no| stray               stray               stray               stray               stray              same             same            same         same       same      stray     missing
stop cancelled             | cancelled>cancelled cancelled>cancelled cancelled>cancelled cancelled>cancelled stopping>stopping  stopping>stopping stopping       stopping     ended      ended     ended     missing
stop lost                  | kept                kept                kept                kept                stopping>stopping  stopping>stopping stopping       stopping     ended      ended     ended     missing
stop disrupted             | kept                kept                kept                kept                stopping>stopping  stopping>stopping stopping       stopping     ended      ended     ended     missing
stop never_started         | kept                kept                kept                kept                stopping>stopping  kept             stopping        stopping     ended      ended     ended     missing
pause                      | paused>paused       paused>paused       paused>paused       same                kept               kept             kept            kept         kept       kept      kept      missing
resume                     | same                same                same                resumed>scheduled   same               same             same            same         ended      ended     ended     missing
resume, due by now         | same                same                same                resumed>queued      same               same             same            same         ended      ended     ended     missing
resume, suspended          | same                same                same                resumed>scheduled   same               resumed*         same            same         ended      ended     ended     missing
suspend                    | kept                kept                kept                kept                kept               suspending*      kept            kept         ended      ended     ended     missing
suspended                  | stray               stray               stray               stray               stray              same             same            same         same       same      stray     missing
suspended, wished          | stray               stray               stray               stray               stray              noted*           same            same         same       same      stray     missing
suspended, resumed         | stray               stray               stray               stray               stray              noted*           same            same         same       same      stray     missing
run_now                    | kept                queued>queued       same                kept                kept               kept             kept            kept         kept       kept      kept      missing
set_priority               | set*                set*                set*                set*                kept               kept             kept            kept         kept       kept      kept      missing
expire                     | 1>cancelled         1>cancelled         1>cancelled         1>cancelled         0                  0                0               0            0          0         0         0
claim, expired             | 0                   0                   0>cancelled         0                   0                  0                0               0            0          0         0         0
unblock                    | 0                   0                   0                   0                   0                  0                0               0            0          0         0         0
unblock, parent failed     | 1>cancelled         0                   0                   0                   0                  0                0               0            0          0         0         0
unblock, parent ended      | 1>scheduled         0                   0                   0                   0                  0                0               0            0          0         0         0
unblock, due by now        | 1>queued            0                   0                   0                   0                  0                0               0            0          0         0         0
note_rerun                 | noted*              noted*              noted*              noted*              noted*             noted*           noted*          noted*       noted*     noted*    noted*    missing
ask_stack                  | kept                kept                kept                kept                kept               asked*           asked*          asked*       kept       kept      kept      missing
keep_stack                 | go_away             go_away             go_away             go_away             go_away            recorded         recorded        recorded     go_away    go_away   go_away   go_away
keep_stack, asked for      | go_away             go_away             go_away             go_away             go_away            recorded*        recorded*       recorded*    go_away    go_away   go_away   go_away
retire the KubeJob         | kept                kept                kept                kept                kept               kept             kept            kept         retired*   retired*  retired*  missing
retire the record          | kept                kept                kept                kept                kept               kept             kept            kept         retired>gone retired>gone retired>gone missing
retire the record, too soon| kept                kept                kept                kept                kept               kept             kept            kept         kept       kept      kept      missing
settled                    | settled*            settled*            settled*            settled*            settled*           settled*         settled*        settled*     settled*   settled*  settled*  missing
settled, older rev         | dirty               dirty               dirty               dirty               dirty              dirty            dirty           dirty        dirty      dirty     dirty     missing
"""  # noqa: E501 - a table

# What a verb answers when it is sent again after a lost reply; the others say the same once more.
AGAIN: Final = {
    ("enqueue", "created"): "exists",
    ("promote", "1"): "0",
    ("pause", "paused"): "same",
    ("resume", "resumed"): "same",
    ("suspend", "suspending"): "same",
    ("run_now", "queued"): "same",
    ("set_priority", "set"): "same",
    ("expire", "1"): "0",
    ("unblock", "1"): "0",
    ("note_rerun", "noted"): "same",
    ("ask_stack", "asked"): "same",
    ("disown", "1"): "0",
    ("claim", "1"): "0",  # the launch loop reads `launching`, so nothing hangs on the reply
    ("decline", "declined"): "kept",
    ("observe_end", "moved"): "same",
    ("observe_attempt", "noted"): "same",
    ("observe_phase", "noted"): "same",
    ("observe_admission", "noted"): "same",
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
        if row in {"expire", "claim, expired"}:
            self.clock.forward(EXPIRES_SECONDS)
        if row.startswith("unblock, ") and self.job.needs:
            (parent,) = (await self.store.family(self.job)).parents
            await self.store.stop(job_id=parent.id, verdict=Outcome.CANCELLED, by="ada", note="")
        if row in {"resume, due by now", "unblock, due by now"}:
            self.clock.forward(DELAY_SECONDS)
        if row in {"start, suspended", "resume, suspended", "suspended, wished", "suspended, resumed"}:
            await self.store.suspend(job_id=self.job.id, by="ada", note="")
        if row == "suspended, resumed" and self.job.state is State.LAUNCHED:
            await self.store.resume(job_id=self.job.id, by="ada", note="")
        if row == "observe_admission, yes":
            await self._see_kueue("no")
        if row == "keep_stack, asked for":
            await self.store.ask_stack(job_id=self.job.id)
        await self._prepare_around(row)
        if row == "retire the record":
            await self.store.retire(job_id=self.job.id, stage="kube_job")
            await self.store.settled(job_id=self.job.id, rev=self.job.rev)
        if row.startswith("retire the record"):
            self.clock.forward(3601 if row == "retire the record" else 3500)

    async def _prepare_around(self, row: str) -> None:
        """What must be so besides the job."""
        if row == "disown, queue is gone":
            await self.store.drop_queue(queue=QUEUE_KEY)
        if row.endswith("Redis is held"):  # it may have forgotten that the job was claimed
            await self.store.hold(epoch=EPOCH, reason="Redis is older than the world")
        if row == "claim, queue paused":
            await self.store.put_queue(QUEUE_KEY, a_queue(paused=True))

    async def send(self, row: str) -> str:
        """The reply's first word."""
        calls: dict[str, Callable[[], Awaitable[str]]] = {
            "enqueue": lambda: _did(self.store.enqueue(self.builder.build())),
            "enqueue other": lambda: _did(self.store.enqueue(self.builder.with_parameters("[43]").build())),
            "promote": self._promote,
            "claim": lambda: self._claim(EPOCH),
            "claim, not leader": lambda: self._claim("epoch-0"),
            "claim, queue paused": lambda: self._claim(EPOCH),
            "decline to scheduled": lambda: _did(
                self.store.decline(
                    epoch=EPOCH, job_id=self.job.id, target=State.SCHEDULED, back_off_ms=1000, reason="quota"
                )
            ),
            "decline to failed": lambda: _did(
                self.store.decline(
                    epoch=EPOCH, job_id=self.job.id, target=State.FAILED, back_off_ms=0, reason="bad manifest"
                )
            ),
            "decline, not leader": lambda: _did(
                self.store.decline(
                    epoch="epoch-0", job_id=self.job.id, target=State.FAILED, back_off_ms=0, reason="late"
                )
            ),
            "bind": lambda: _did(self.store.bind(job_id=self.job.id, kube_uid=KUBE)),
            "bind, Redis is held": lambda: _did(self.store.bind(job_id=self.job.id, kube_uid=KUBE)),
            "bind other KubeJob": lambda: _did(self.store.bind(job_id=self.job.id, kube_uid="uid-of-another")),
            "start": lambda: self._start(KUBE, POD),
            "start, Redis is held": lambda: self._start(KUBE, POD),
            "start, second pod": lambda: self._start(KUBE, "second-pod"),
            "start, suspended": lambda: self._start(KUBE, POD),
            "start, other KubeJob": lambda: self._start("uid-of-another", "pod-of-another"),
            "beat": lambda: self._beat(POD),
            "beat, second pod": lambda: self._beat("second-pod"),
            "finish succeeded": lambda: self._finish(POD, Outcome.SUCCEEDED),
            "finish error": lambda: self._finish(POD, Outcome.ERROR),
            "finish aborted": lambda: self._finish(POD, Outcome.ABORTED),
            "finish rejected": lambda: self._finish(POD, Outcome.REJECTED),
            "finish, second pod": lambda: self._finish("second-pod", Outcome.SUCCEEDED),
            "observe_end complete": lambda: self._observe(KUBE, "complete"),
            "observe_end failed": lambda: self._observe(KUBE, "failed"),
            "observe_end absent": lambda: self._observe(KUBE, "absent"),
            "observe_end other KubeJob": lambda: self._observe("uid-of-another", "absent"),
            "observe_end no KubeJob": lambda: self._observe("", "absent"),
            "observe_attempt": lambda: _did(
                self.store.observe_attempt(
                    job_id=self.job.id,
                    kube_uid=KUBE,
                    pod_uid=POD,
                    outcome=Outcome.OOM_KILLED,
                    exit_code=137,
                    failure='{"type":"OOMKilled"}',
                )
            ),
            "observe_phase": lambda: _did(
                self.store.observe_phase(
                    job_id=self.job.id, kube_uid=KUBE, phase=Phase.SUSPENDED, reason="by somebody else"
                )
            ),
            "observe_admission, no": lambda: self._see_kueue("no"),
            "observe_admission, yes": lambda: self._see_kueue("yes"),
            "observe_admission, still no": lambda: self._see_kueue("still_no"),
            "stop cancelled": lambda: _did(
                self.store.stop(job_id=self.job.id, verdict=Outcome.CANCELLED, by="ada", note="")
            ),
            "stop lost": lambda: _did(self.store.stop(job_id=self.job.id, verdict=Outcome.LOST, by="bgjobs", note="")),
            "stop disrupted": lambda: _did(
                self.store.stop(job_id=self.job.id, verdict=Outcome.DISRUPTED, by="bgjobs", note="")
            ),
            "stop never_started": lambda: _did(
                self.store.stop(job_id=self.job.id, verdict=Outcome.NEVER_STARTED, by="bgjobs", note="")
            ),
            "pause": lambda: _did(self.store.pause(job_id=self.job.id, by="ada", note="why")),
            "resume": lambda: _did(self.store.resume(job_id=self.job.id, by="ada", note="")),
            "resume, due by now": lambda: _did(self.store.resume(job_id=self.job.id, by="ada", note="")),
            "resume, suspended": lambda: _did(self.store.resume(job_id=self.job.id, by="ada", note="")),
            "suspend": lambda: _did(self.store.suspend(job_id=self.job.id, by="ada", note="")),
            "suspended": lambda: self._suspended("yes"),
            "suspended, wished": lambda: self._suspended("yes"),
            "suspended, resumed": lambda: self._suspended("no"),
            "run_now": lambda: _did(self.store.run_now(job_id=self.job.id, by="ada", note="")),
            "set_priority": lambda: _did(self.store.set_priority(job_id=self.job.id, priority=1, by="ada", note="")),
            "expire": self._expire,
            "claim, expired": lambda: self._claim(EPOCH),
            "unblock": self._unblock,
            "unblock, parent failed": self._unblock,
            "unblock, parent ended": self._unblock,
            "unblock, due by now": self._unblock,
            "note_rerun": lambda: self.store.note_rerun(job_id=self.job.id, by="ada", new_id="another"),
            "ask_stack": lambda: _did(self.store.ask_stack(job_id=self.job.id)),
            "keep_stack": self._keep_stack,
            "keep_stack, asked for": self._keep_stack,
            "disown, queue is there": self._disown,
            "disown, queue is gone": self._disown,
            "retire the KubeJob": lambda: self.store.retire(job_id=self.job.id, stage="kube_job"),
            "retire the record": lambda: self.store.retire(job_id=self.job.id, stage="record"),
            "retire the record, too soon": lambda: self.store.retire(job_id=self.job.id, stage="record"),
            "settled": lambda: self.store.settled(job_id=self.job.id, rev=self.job.rev),
            "settled, older rev": lambda: self.store.settled(job_id=self.job.id, rev=self.job.rev - 1),
        }
        return await calls[row]()

    async def _see_kueue(self, admitted: Literal["yes", "no", "still_no"]) -> str:
        return await _did(
            self.store.observe_admission(job_id=self.job.id, kube_uid=KUBE, admitted=admitted, reason="no quota")
        )

    async def _suspended(self, is_suspended: Literal["yes", "no"]) -> str:
        return await _did(self.store.suspended(job_id=self.job.id, kube_uid=KUBE, is_suspended=is_suspended))

    async def _keep_stack(self) -> str:
        return await self.store.keep_stack(job_id=self.job.id, pod_uid=POD, attempt=1, number=1, words="in main")

    async def _promote(self) -> str:
        return str((await self.store.promote()).promoted)

    async def _expire(self) -> str:
        return str((await self.store.expire()).expired)

    async def _unblock(self) -> str:
        return str((await self.store.unblock()).told)

    async def _disown(self) -> str:
        reply = await self.store.disown(queue=QUEUE_KEY, uid="", reason="its queue is gone")
        return str(reply.found) if reply.did == "ended" else reply.did

    async def _claim(self, epoch: str) -> str:
        claimed = await self.store.claim(epoch=epoch, queue=QUEUE_KEY, limit=5)
        return str(len(claimed.ids)) if claimed.did == "ok" else claimed.did

    async def _start(self, kube_uid: str, pod_uid: str) -> str:
        started = await self.store.start(job_id=self.job.id, kube_uid=kube_uid, pod_uid=pod_uid, pod_name=POD_NAME)
        assert (started.attempt is not None) == (started.action == RUN)
        assert bool(started.reason) == (started.action != RUN)
        return started.action

    async def _beat(self, pod_uid: str) -> str:
        action, _, _ = await self.store.beat(
            job_id=self.job.id,
            pod_uid=pod_uid,
            attempt=1,
            chunk=(0, 12, b"packed"),
            progress='{"done":1}',
            keep_seconds=600,
        )
        return action

    async def _finish(self, pod_uid: str, outcome: Outcome) -> str:
        return await _did(
            self.store.finish(
                job_id=self.job.id,
                pod_uid=pod_uid,
                attempt=1,
                outcome=outcome,
                failure='{"type":"E"}',
                result="7",
                exit_code=1,
            )
        )

    async def _observe(self, kube_uid: str, what: Literal["complete", "failed", "absent"]) -> str:
        outcome = Outcome.SUCCEEDED if what == "complete" else Outcome.ERROR
        return await _did(
            self.store.observe_end(job_id=self.job.id, kube_uid=kube_uid, what=what, outcome=outcome, reason="seen")
        )


class _Reply(Protocol):
    @property
    def did(self) -> str: ...


async def _did(reply: Awaitable[_Reply]) -> str:
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
    if row in {"expire", "claim, expired"}:
        builder = builder.but(expires_after_seconds=EXPIRES_SECONDS)
    if row in {"unblock, parent ended", "unblock, due by now"}:
        builder = builder.but(on_parent_failure=OnParentFailure.RUN)
    if state in {"scheduled", "blocked", "paused"}:
        builder = builder.delayed(DELAY_SECONDS)
    await life.leader()
    job = await life.in_state("queued" if state == "gone" else state, builder)
    builder = builder.but(needs=tuple(one.id for one in (await store.family(job)).parents))
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
    # test_enqueue.py, test_holding.py, test_needs.py, and test_unique.py
    others = {("enqueue", lifecycle.NEW, state) for state in ("scheduled", "paused", "blocked", "cancelled")}
    others |= {("resume", "paused", "blocked"), ("unblock", "paused", "cancelled")}
    others |= {("enqueue", state.value, "cancelled") for state in WAITING}

    assert _arrows() | others == drawn


async def test_a_move_that_is_no_arrow_is_refused_whatever_led_to_it(
    store: CheckedStore, client: Client, clock: Clock, life: Life
) -> None:
    """The last guard: here a verb forgets to look at the state of a job, as by a bug."""
    job = await life.in_state("paused")
    await client.zadd(keys.due("shop"), {job.id: 0})
    await client.zadd(keys.dues(), {"shop": 0})
    before = await contents.read(client)
    careless = assembly.script_text("promote").replace("job.state == 'scheduled' and", "")

    with pytest.raises(ResponseError, match="promote may not move a job from paused to queued"):
        await client.eval(careless, 0, "0", "20")

    assert before.differences(await contents.read(client)) == []
    promoted = await store.promote()
    assert (promoted.promoted, promoted.dropped) == (0, 1), "the verb itself drops it from what is due"
