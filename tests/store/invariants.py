"""What holds in Redis after every verb, whatever came before (S7, S8, S9 of docs/safety.md).

S5 and S6 are about the moment of a claim: `checked_store.py`. S1 to S4 span two moments: `safety.py`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from bgjobs.vocabulary import OWNED, TERMINAL, WAITING, Outcome, Phase, State
from bgjobs_core.jobs.record import MAX_DISRUPTIONS, MAX_PREEMPTIONS, MAX_SUSPENSIONS
from bgjobs_core.store import keys
from tests.store import families, unique_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgjobs_core.jobs.record import JobRecord
    from tests.store.contents import Contents

_LONGEST_STREAM: Final = 300  # MAXLEN ~ 100 cuts whole nodes of up to 100 entries

NEVER: Final = 2**53 - 1  # the time of a key that waits for a slot, not for a time

Index = dict[str, dict[str, int]]


def broken(contents: Contents) -> list[str]:
    """Every rule that does not hold, in words; empty if all is well."""
    return [
        *_keys_are_known(contents),
        *_indexes_follow_from_records(contents),
        *_records_are_sound(contents),
        *_kueue_is_noted(contents),
        *_texts_have_their_job(contents),
        *_attempts_are_sound(contents),
        *families.broken(contents),
        *unique_keys.broken(contents),
    ]


# ------------------------------------------------------------------------------- S9: keys
# A cell has a name of three parts, and jobs without a concurrency key share the lane of the empty one.
_PARTS: Final = {"{cell}": "[^:]+:[^:]+:[^:]+", "{key}": "[^:]*", "{uid}": "[^:]*"}


def _pattern(key: keys.Key) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+\})", key.pattern)
    return re.compile(
        re.escape(keys.PREFIX) + "".join(_PARTS.get(p, "[^:]+") if p.startswith("{") else re.escape(p) for p in parts)
    )


_PATTERNS: Final = [(_pattern(key), key) for key in keys.KEYS]


def family(name: str) -> keys.Key | None:
    """The entry of `keys.KEYS` that a key belongs to."""
    return next((key for pattern, key in _PATTERNS if pattern.fullmatch(name)), None)


def _keys_are_known(contents: Contents) -> Iterator[str]:
    for name, entry in contents.entries.items():
        key = family(name)
        if key is None:
            yield f"S9: no family of keys.KEYS holds {name}"
            continue
        if key.kind != entry.kind:
            yield f"S9: {name} is a {entry.kind}, keys.py says {key.kind}"
        if entry.expires != ("expires" in key.bound) and key is not keys.unique:  # which `unique_keys` looks at
            yield f"S9: {name} {'expires' if entry.expires else 'never expires'}"
        if entry.kind == "stream" and len(entry.value) > _LONGEST_STREAM:
            yield f"S9: {name} has {len(entry.value)} entries"
    queues = {name.removeprefix(keys.queue("")) for name in contents.entries if family(name) is keys.queue}
    if queues != (contents.value(keys.queues()) or set()):
        yield f"S8: {keys.queues()} is not the set of queues that have settings: {queues}"
    known = {name.removeprefix(keys.schedule("")): name for name in contents.entries if family(name) is keys.schedule}
    if known.keys() != (contents.value(keys.schedules()) or set()):
        yield f"S8: {keys.schedules()} is not the set of schedules that are known: {known.keys()}"
    wished = {key for key, name in known.items() if {b"wish_suspend", b"wish_ran"} & contents.fields(name).keys()}
    if wished != (contents.value(keys.wished()) or set()):
        yield f"S8: {keys.wished()} is not the set of schedules of which something is wished: {wished}"
    if both := queues & contents.scores(keys.gone()).keys():
        yield f"S8: {both} are there, and in {keys.gone()}"


# ---------------------------------------------------------------------------- S8: indexes
def expected_indexes(contents: Contents) -> Index:
    """What each index must be, from the records alone."""
    index: Index = defaultdict(dict)
    for job in contents.jobs().values():
        for name, score in _places(job, contents):
            index[name][job.id] = score
    return index


def _places(job: JobRecord, contents: Contents) -> Iterator[tuple[str, int]]:
    detail = {State.QUEUED: str(job.spec.priority), State.LAUNCHED: job.phase, State.FAILED: job.outcome}
    standing = f"{job.state}/{detail[job.state]}" if job.state in detail else job.state
    yield keys.cell(f"{job.queue_key}:{standing}:{job.spec.cls}"), job.changed_at
    own: dict[State, tuple[str, int | None]] = {
        State.QUEUED: (
            keys.aside(job.hold, job.queue_key, job.queue_uid)
            if job.hold
            else keys.lane(job.queue_key, job.queue_uid, job.spec.priority, job.spec.concurrency_key or ""),
            job.queued_at,
        ),
        State.SCHEDULED: (keys.due(job.namespace), job.not_before),
        State.LAUNCHING: (keys.launching(job.namespace), job.claimed_at),
        State.LAUNCHED: (keys.launched(job.namespace), job.launched_at),
        State.STOPPING: (keys.stopping(job.namespace), job.stopped_at),
    }
    if job.state in own:
        name, score = own[job.state]
        yield name, -1 if score is None else score
    if job.state in WAITING and job.start_by is not None:
        yield keys.start_by(), job.start_by
    if job.state in TERMINAL and job.finished_at is not None:
        spec = contents.fields(keys.job(job.id))[b"spec"].decode()
        kept = int(contents.fields(keys.spec(spec))[b"records_ms"])
        yield keys.expiring(job.namespace), max(job.finished_at + kept, unique_keys.alone_until(job))


def _indexes_follow_from_records(contents: Contents) -> Iterator[str]:
    jobs, expected = contents.jobs(), expected_indexes(contents)
    exact = {keys.cell, keys.lane, keys.aside, keys.start_by, keys.due, keys.launching, keys.launched, keys.stopping}
    exact |= {keys.expiring}
    found = {name: entry.value for name, entry in contents.entries.items() if family(name) in exact}
    for name in sorted({*found, *expected}):
        if family(name) is keys.expiring and _at_their_time_or_later(found.get(name), expected.get(name)):
            continue
        if found.get(name) != expected.get(name):
            yield f"S8: {name} is {found.get(name)}, the records say {expected.get(name)}"

    owned: dict[str, set[str]] = defaultdict(set)
    for job in jobs.values():
        if job.state in OWNED:
            owned[keys.owned(job.queue_key)].add(job.id)
            if job.spec.concurrency_key:
                owned[keys.owned_by(job.queue_key, job.spec.concurrency_key)].add(job.id)
    held = {name: set(entry.value) for name, entry in contents.entries.items() if family(name) is keys.owned}
    held |= {name: set(entry.value) for name, entry in contents.entries.items() if family(name) is keys.owned_by}
    if held != owned:
        yield f"S8: slots are held by {held}, the records say {dict(owned)}"

    yield from _namespaces_are_listed(contents)
    yield from _cells_are_listed(contents)
    yield from _lanes_take_turns(contents)
    yield from _holds_know_their_jobs(contents)
    yield from _specs_are_counted(contents)

    # Whoever deletes KubeJobs and writes status takes these two down, so they hold some of what they may hold.
    for name, job_id, score in _entries(contents, keys.ended):
        job = jobs.get(job_id)
        if job is None or keys.ended(job.namespace) != name or job.state not in TERMINAL or score != job.finished_at:
            yield f"S8: {job_id} is in {name} with {score}"
    yield from _wishes_are_listed(contents)
    for name, job_id, _ in _entries(contents, keys.dirty):
        job = jobs.get(job_id)
        if job is None or keys.dirty(job.namespace) != name or not job.request_name:
            yield f"S8: {job_id} is in {name}"


def _at_their_time_or_later(found: dict[str, int] | None, expected: dict[str, int] | None) -> bool:
    """What open jobs still need is put off, so its time may be a later one."""
    found, expected = found or {}, expected or {}
    return found.keys() == expected.keys() and all(found[one] >= expected[one] for one in found)


def _wishes_are_listed(contents: Contents) -> Iterator[str]:
    """Whoever is to be suspended is in the work list for that, and nobody of whom nothing is wished."""
    jobs = contents.jobs()
    listed = {(name, job_id) for name, job_id, _ in _entries(contents, keys.suspending)}
    for name, job_id in listed:
        job = jobs.get(job_id)
        is_launched = job is not None and job.state is State.LAUNCHED and keys.suspending(job.namespace) == name
        if job is None or not is_launched or not (job.paused_by or job.resumed_at):
            yield f"S8: {job_id} is in {name}"
    for job in jobs.values():
        is_wished = job.state is State.LAUNCHED and job.paused_by and job.phase != Phase.SUSPENDED
        if is_wished and (keys.suspending(job.namespace), job.id) not in listed:
            yield f"S8: {job.id} is to be suspended, and is not in the list for that"


def _entries(contents: Contents, key: keys.Key) -> Iterator[tuple[str, str, int]]:
    """All sorted sets of a family: the name of each, and a member with its score."""
    for name, entry in contents.entries.items():
        if family(name) is key:
            yield from ((name, member, score) for member, score in entry.value.items())


def _namespaces_are_listed(contents: Contents) -> Iterator[str]:
    """Namespaces are those with jobs, and the parent of what is due has the first one of each."""
    with_jobs = {job.namespace for job in contents.jobs().values()}
    if with_jobs != (contents.value(keys.namespaces()) or set()):
        yield f"S8: {keys.namespaces()} is {contents.value(keys.namespaces())}, the records say {with_jobs}"
    first: dict[str, int] = {}
    for name, _, score in _entries(contents, keys.due):
        namespace = name.removeprefix(keys.due(""))
        first[namespace] = min(score, first.get(namespace, score))
    if contents.scores(keys.dues()) != first:
        yield f"S8: {keys.dues()} is {contents.scores(keys.dues())}, the first due ones are {first}"


def _cells_are_listed(contents: Contents) -> Iterator[str]:
    """The cells of a namespace are those that hold jobs, and none changed before its newest job did."""
    newest: dict[str, dict[str, int]] = defaultdict(dict)
    for name, entry in contents.entries.items():
        if family(name) is keys.cell:
            cell = name.removeprefix(keys.cell(""))
            newest[keys.cells(cell.partition("/")[0])][cell] = max(entry.value.values())
    listed = {name: entry.value for name, entry in contents.entries.items() if family(name) is keys.cells}
    if {name: set(cells) for name, cells in listed.items()} != {name: set(cells) for name, cells in newest.items()}:
        yield f"S8: the listed cells are {listed}, those with jobs are {dict(newest)}"
        return
    for name, cells in listed.items():
        late = [cell for cell, at in cells.items() if at < newest[name][cell]]
        if late:
            yield f"S8: {name} has {late} before their newest jobs"


def _lanes_take_turns(contents: Contents) -> Iterator[str]:
    """Every lane with jobs has its turn or is closed, and the number of queued jobs is that of jobs in lanes.

    A key that waits for a slot has jobs in slots, or nobody would let it go on.
    """
    lanes, queued = defaultdict[str, set[str]](set), Counter[str]()
    for name, entry in contents.entries.items():
        if family(name) is keys.lane:
            queue, uid, priority, own = name.removeprefix(keys.PREFIX).removeprefix("lane:").split(":")
            lanes[keys.turns(queue, uid, priority)].add(own)
            queued[f"{queue}:{uid}"] += len(entry.value)
        if family(name) is keys.aside:
            queued[name.removeprefix(keys.PREFIX).split(":", 2)[2]] += len(entry.value)
    turns = {name: set(entry.value) for name, entry in contents.entries.items() if family(name) is keys.turns}
    shut = defaultdict[str, set[str]](set)
    for kept in (keys.closed, keys.reopening):
        for name, member, score in _entries(contents, kept):
            _, queue, uid = name.removeprefix(keys.PREFIX).split(":")
            priority, _, own = member.partition(":")
            shut[keys.turns(queue, uid, priority)].add(own)
            is_current = contents.fields(keys.queue(queue)).get(b"uid", b"").decode() == uid
            if kept is keys.closed and is_current and score == NEVER and not contents.scores(keys.owned_by(queue, own)):
                yield f"S8: {own} waits in {name} for a slot, but has none"
    for name in {*turns, *lanes}:
        takes, has = turns.get(name, set[str]()), lanes[name]
        if not takes <= has <= takes | shut[name]:
            yield f"S8: in {name} are {takes}, closed are {shut[name]}, lanes with jobs are {has}"
    counted = {name.decode(): int(number) for name, number in contents.fields(keys.ready()).items()}
    if counted != queued:
        yield f"S8: {keys.ready()} is {counted}, in the lanes and aside are {dict(queued)}"


def _holds_know_their_jobs(contents: Contents) -> Iterator[str]:
    """Every hold with jobs is there, names the queues of these, and is among those that end if it does."""
    there: dict[str, bytes] = {}
    for name, entry in contents.entries.items():
        if family(name) is keys.holds:
            namespace = name.removeprefix(keys.holds(""))
            there |= {f"{namespace}/{one.decode()}": said for one, said in entry.value.items()}
    ends = {one: int(said.partition(b"\n")[0]) for one, said in there.items() if said.partition(b"\n")[0]}
    listed = contents.scores(keys.hold_ends())
    if listed.keys() != ends.keys() or any(listed[one] < at for one, at in ends.items()):
        yield f"S8: {keys.hold_ends()} is {listed}, the holds end at {ends}"
    places: dict[str, set[str]] = defaultdict(set)
    for job in contents.jobs().values():
        if job.hold and job.state is not State.QUEUED:
            yield f"{job.state.value} job {job.id} is held by {job.hold}"
        elif job.hold:
            places[keys.holding(job.hold)].add(f"{job.queue_key}:{job.queue_uid}")
            if f"{job.namespace}/{job.hold}" not in there:
                yield f"S8: {job.id} is held by {job.hold}, which is not there"
    found = {name: set(entry.value) for name, entry in contents.entries.items() if family(name) is keys.holding}
    if found != places:
        yield f"S8: holds have jobs of {found}, the records say {dict(places)}"


def _specs_are_counted(contents: Contents) -> Iterator[str]:
    """What jobs have in common is there as long as one of them is."""
    used = Counter(entry.value[b"spec"] for name, entry in contents.entries.items() if family(name) is keys.job)
    counted = {digest: int(fields[b"jobs"]) for digest, fields in contents.shared().items()}
    if counted != used:
        yield f"S8: specs are counted as {counted}, and used by {dict(used)}"


# ---------------------------------------------------------------------------- the records
def _records_are_sound(contents: Contents) -> Iterator[str]:
    for job in contents.jobs().values():
        about = f"{job.state.value} job {job.id}"
        if job.state in WAITING and job.kube_uid:
            yield f"{about} waits and is bound: a bound job never goes back to the queue"
        if job.state is State.LAUNCHING and (job.kube_uid or not job.epoch):
            yield f"{about} must have an epoch and no UID"
        may_be_held = {job.state is State.PAUSED, job.state in {State.PAUSED, State.LAUNCHED}}
        if bool(job.paused_by) != bool(job.paused_at) or bool(job.paused_by) not in may_be_held:
            yield f"{about} is paused by {job.paused_by!r} at {job.paused_at}"
        if job.resumed_at is not None and (job.state is not State.LAUNCHED or job.paused_by):
            yield f"{about} was resumed at {job.resumed_at}"
        if job.suspensions > MAX_SUSPENSIONS:
            yield f"S7: {about} was suspended {job.suspensions} times"
        if job.state is State.LAUNCHED and not job.kube_uid:
            yield f"{about} has no UID"
        if (job.state is State.STOPPING) and not job.verdict:
            yield f"{about} has no verdict"
        if (job.state in TERMINAL) != (job.finished_at is not None and bool(job.outcome)):
            yield f"{about} has outcome {job.outcome!r} and finished_at {job.finished_at}"
        if job.state in TERMINAL and job.phase:
            yield f"{about} has phase {job.phase}"
        if job.attempt and not (job.kube_uid and job.fence and job.started_at):
            yield f"{about} has attempts and no UID, fence or started_at"
        if job.attempt > job.spec.max_retries + 1 + MAX_DISRUPTIONS + job.suspensions + job.preemptions:
            yield f"S7: {about} has {job.attempt} attempts"


def _kueue_is_noted(contents: Contents) -> Iterator[str]:
    for job in contents.jobs().values():
        about = f"{job.state.value} job {job.id}"
        if job.kueue_at is not None and job.state is not State.LAUNCHED:
            yield f"{about} waits for Kueue since {job.kueue_at}"
        if job.preemptions > MAX_PREEMPTIONS:
            yield f"S7: {about} was pre-empted {job.preemptions} times"


def _texts_have_their_job(contents: Contents) -> Iterator[str]:
    jobs = contents.jobs()
    texts = {keys.payload, keys.result, keys.progress, keys.checkpoint, keys.history, keys.stack}
    for name in contents.entries:
        job = jobs.get(name.rpartition(":")[2])
        if family(name) in texts and job is None:
            yield f"S9: {name} has no owner"
        if family(name) is keys.checkpoint and job and job.state in {State.SUCCEEDED, State.CANCELLED}:
            yield f"S9: {name} is there, and its job goes on nowhere"
    for job in jobs.values():
        about = f"{job.state.value} job {job.id}"
        if keys.payload(job.id) not in contents.entries:
            yield f"{about} has no parameters"
        if bool(job.has_result) != (keys.result(job.id) in contents.entries):
            yield f"{about} has has_result {job.has_result}"
        if job.error_attempt is not None and not contents.fields(keys.attempt(job.id, job.error_attempt)).get(b"error"):
            yield f"{about} names attempt {job.error_attempt}, which has no error"


def _attempts_are_sound(contents: Contents) -> Iterator[str]:
    jobs, there = contents.jobs(), Counter[str]()
    for name in contents.entries:
        if family(name) not in {keys.attempt, keys.log_head, keys.log_tail}:
            continue
        job_id, number = name.split(":")[2], int(name.split(":")[3])
        if job_id not in jobs or not 1 <= number <= jobs[job_id].attempt:
            yield f"S9: {name} has no owner"
        elif family(name) is keys.attempt:
            there[job_id] += 1
    for job in jobs.values():
        if there[job.id] != job.attempt:
            yield f"job {job.id} has {there[job.id]} attempts, its record says {job.attempt}"
            continue
        attempts = contents.attempts(job)
        if any(one.ended_at is None for one in attempts[:-1]):
            yield f"job {job.id} has an open attempt before its last"
        if attempts and attempts[-1].pod_uid != job.fence:
            yield f"job {job.id} has fence {job.fence}, its last attempt's pod is {attempts[-1].pod_uid}"
        if attempts and job.state in TERMINAL and attempts[-1].ended_at is None:
            yield f"job {job.id} has ended, its last attempt has not"
        if any((one.ended_at is None) != (not one.outcome) for one in attempts):
            yield f"job {job.id} has an attempt that ended without an outcome, or the reverse"
        pods = [one.pod_uid for one in attempts]
        in_series = sum(one == other for one, other in pairwise(pods))
        if in_series != job.in_pod or len(set(pods)) != len(pods) - in_series:
            yield f"job {job.id} has attempts of the pods {pods}, and its record says that {job.in_pod} went on in one"
        charged = sum(one.outcome != Outcome.DISRUPTED for one in attempts)
        if job.in_pod and charged > job.spec.max_retries + 1:
            yield f"S7: job {job.id} has had {charged} attempts that count, and may have {job.spec.max_retries + 1}"
