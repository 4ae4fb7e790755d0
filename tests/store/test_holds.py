"""Jobs are held by what they are, go aside when it is their turn, and come back in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import Outcome, State
from bgjobs_core.jobs.holds import MOST_HOLDS, NewHold, is_meant
from bgjobs_core.store import keys
from tests.store.builders import QUEUE_KEY, a_job, a_queue, many
from tests.store.life import EPOCH, KUBE, Life

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bgjobs_core.redis.connection import Client
    from bgjobs_core.store.replies import ClaimReply
    from tests.store.builders import JobBuilder
    from tests.store.checked_store import CheckedStore, Clock

MAIL = "shop.jobs.Mail"


@pytest.fixture(autouse=True)
async def _leader(life: Life) -> None:
    await life.leader()


def _mail(method: str = "send") -> JobBuilder:
    return a_job().but(cls=MAIL, method=method)


async def _hold(
    store: CheckedStore, pattern: str = f"{MAIL}.*", labels: Mapping[str, str] | None = None, for_ms: int | None = None
) -> NewHold:
    hold = NewHold(new_job_id(), "shop", pattern, labels or {}, "ada", "the provider is down", for_ms)
    assert await store.put_hold(hold) == "put"
    return hold


async def _claim(store: CheckedStore, limit: int = 20) -> ClaimReply:
    return await store.claim(epoch=EPOCH, queue=QUEUE_KEY, limit=limit)


async def _released(store: CheckedStore, hold: NewHold) -> None:
    assert await store.drop_hold(namespace="shop", hold_id=hold.id) == "dropped"
    while (await store.let_go()).more == "yes":
        pass


async def test_what_is_held_is_not_claimed_and_what_comes_is_neither(store: CheckedStore, life: Life) -> None:
    waits = await life.enqueued(_mail())
    await _hold(store)
    comes = await life.enqueued(_mail("forward"))
    other = await life.enqueued()

    assert (await _claim(store)).ids == (other.id,)

    for one in (waits, comes):
        record = await store.there(one.id)
        assert record.state is State.QUEUED
        assert record.reason == "It is held by ada: the provider is down"
    assert (await store.queue_load(QUEUE_KEY)).queued == 2
    assert (await _claim(store)).ids == ()


async def test_released_they_go_on_in_the_place_that_they_had(store: CheckedStore, life: Life, clock: Clock) -> None:
    hold = await _hold(store)
    held: list[str] = []
    for _ in range(25):
        clock.forward(1)
        held.append((await life.enqueued(_mail())).id)
    assert (await _claim(store)).ids == ()
    assert (await store.set_aside()).more == "no"
    clock.forward(1)
    high, late = await life.enqueued(a_job().high()), await life.enqueued()

    await _released(store, hold)

    assert (await _claim(store)).ids == (high.id, *held[:9])
    assert (await store.there(held[0])).reason == ""
    await store.put_queue(QUEUE_KEY, a_queue(40))
    assert (await _claim(store)).ids == (*held[9:], late.id)
    assert await store.holds(["shop"]) == []


async def test_a_hold_ends_at_its_time_by_itself(store: CheckedStore, life: Life, clock: Clock) -> None:
    await _hold(store, for_ms=60_000)
    job = await life.enqueued(_mail())
    assert (await _claim(store)).ids == ()
    before = await store.let_go()
    assert (before.let_go, before.more) == (0, "no")
    assert before.next_at is not None
    clock.forward((before.next_at - before.now) / 1000)

    after = await life.enqueued(_mail())
    assert (await _claim(store)).ids == (after.id,), "nothing has to wake up for that"
    assert (await store.let_go()).let_go == 1
    assert (await _claim(store)).ids == (job.id,)


@pytest.mark.parametrize(
    ("pattern", "labels", "is_held"),
    [
        (MAIL, {}, True),
        (f"{MAIL}.send", {}, True),
        (f"{MAIL}.sen", {}, False),
        (f"{MAIL}.*", {}, True),
        ("shop.jobs.*", {}, True),
        ("shop.job.*", {}, False),
        ("shop.jobs.Mai.*", {}, False),
        (f"{MAIL}.send.*", {}, False),
        ("", {"customer": "8841"}, True),
        ("", {"customer": "884"}, False),
        ("", {"customer": "8841", "team": "billing"}, True),
        ("", {"customer": "8841", "team": "sales"}, False),
        ("", {"ustomer": "8841"}, False),
        ("", {"empty": ""}, True),
        (MAIL, {"customer": "8842"}, False),
        ("shop.jobs.Report", {"customer": "8841"}, False),
    ],
)
async def test_class_method_and_labels_all_count(
    store: CheckedStore, life: Life, pattern: str, labels: dict[str, str], is_held: bool
) -> None:
    job = await life.enqueued(_mail().but(labels={"team": "billing", "customer": "8841", "empty": ""}))
    await _hold(store, pattern, labels)
    (hold,) = await store.holds(["shop"])

    assert hold.holds(job, job.created_at) == is_held
    assert (await _claim(store)).ids == (() if is_held else (job.id,))


_WORDS = st.lists(st.sampled_from(["a", "ab", "b"]), min_size=1, max_size=3).map(".".join)


@given(cls=_WORDS, method=st.sampled_from(["a", "ab"]), pattern=_WORDS, star=st.booleans())
def test_a_pattern_means_a_class_what_is_in_it_or_one_method(cls: str, method: str, pattern: str, star: bool) -> None:
    whole = [*cls.split("."), method]
    parts = pattern.split(".")
    if star:
        assert is_meant(f"{pattern}.*", cls, method) == (whole[: len(parts)] == parts and len(whole) > len(parts))
    else:
        assert is_meant(pattern, cls, method) == (parts in (whole, whole[:-1]))


async def test_a_label_with_a_quote_of_another_does_not_deceive(store: CheckedStore, life: Life) -> None:
    """The syntax of labels forbids it; that the store does not rely on it costs nothing."""
    job = await life.enqueued(a_job().but(labels={"note": 'x", "customer": "8841'}))
    await _hold(store, "", {"customer": "8841"})

    assert (await _claim(store)).ids == (job.id,)


async def test_a_held_job_can_be_paused_and_resumed_and_is_held_again(store: CheckedStore, life: Life) -> None:
    hold = await _hold(store)
    job = await life.enqueued(_mail())
    await _claim(store)

    assert (await store.pause(job_id=job.id, by="bo", note="mine")).did == "paused"
    assert (await store.there(job.id)).hold == ""
    await _released(store, hold)
    assert (await store.there(job.id)).state is State.PAUSED, "who has paused it resumes it"

    await _hold(store)
    assert (await store.resume(job_id=job.id, by="bo", note="")).did == "resumed"
    assert (await _claim(store)).ids == ()


async def test_a_held_job_is_cancelled_expires_and_changes_its_priority(
    store: CheckedStore, life: Life, clock: Clock
) -> None:
    hold = await _hold(store)
    cancelled = await life.enqueued(_mail())
    expires = await life.enqueued(_mail().but(expires_after_seconds=60))
    hastened = await life.enqueued(_mail())
    await _claim(store)

    assert (await store.stop(job_id=cancelled.id, verdict=Outcome.CANCELLED, by="bo", note="")).did == "cancelled"
    assert (await store.set_priority(job_id=hastened.id, priority=1, by="bo", note="")).did == "set"
    clock.forward(60)
    assert (await store.expire()).expired == 1

    other = await life.enqueued()
    assert (await _claim(store)).ids == (other.id,)
    await _released(store, hold)
    late = await life.enqueued()
    assert (await _claim(store)).ids == (hastened.id, late.id)
    assert (await store.there(expires.id)).state is State.CANCELLED


async def test_it_says_nothing_before_it_is_due(store: CheckedStore, life: Life, clock: Clock) -> None:
    await _hold(store)
    job = await life.enqueued(_mail().delayed(60))
    await _claim(store)
    assert (await store.there(job.id)).hold == ""

    clock.forward(60)
    await store.promote()
    assert (await _claim(store)).ids == ()
    assert (await store.there(job.id)).hold


async def test_what_runs_goes_on_and_what_kubernetes_has_is_bound(
    store: CheckedStore, life: Life, client: Client
) -> None:
    running = await life.running(_mail())
    await _hold(store)
    job = await life.enqueued(_mail())
    await _claim(store)
    await store.hold(epoch=EPOCH, reason="older")
    assert (await store.bind(job_id=job.id, kube_uid=KUBE)).did == "bound"
    bound = await store.there(job.id)
    assert (bound.state, bound.hold, bound.reason) == (State.LAUNCHED, "", "")
    assert (await store.there(running.id)).state is State.LAUNCHED
    await store.release()


async def test_held_jobs_of_a_queue_that_is_gone_end_as_others_do(store: CheckedStore, life: Life) -> None:
    hold = await _hold(store)
    held = [(await life.enqueued(_mail())).id for _ in range(3)]
    await _claim(store)
    other = await life.enqueued()
    await store.drop_queue(queue=QUEUE_KEY)

    assert await store.waiting_for() == [(QUEUE_KEY, "")]
    assert (await store.disown(queue=QUEUE_KEY, uid="", reason="gone", limit=3)).found == 3
    assert (await store.disown(queue=QUEUE_KEY, uid="", reason="gone", limit=3)).found == 1
    assert {(await store.there(one)).state for one in (*held, other.id)} == {State.FAILED}
    await _released(store, hold)


async def test_a_claim_leaves_many_held_jobs_to_another_verb(store: CheckedStore, clock: Clock) -> None:
    hold = await _hold(store)
    for job in many(_mail(), 100):
        await store.enqueue(job)
    clock.forward(1)
    behind = a_job().build()
    await store.enqueue(behind)

    claimed = await _claim(store, 1)
    assert (claimed.ids, claimed.next_at) == ((), None), "asking again at once would be in vain"
    calls = 0
    while (reply := await store.set_aside()).more == "yes":
        calls += 1
        assert reply.aside <= 20
    assert calls == 4
    assert (await _claim(store)).ids == (behind.id,)

    await _released(store, hold)
    await store.put_queue(QUEUE_KEY, a_queue(200))
    assert len((await _claim(store, 200)).ids) == 100


async def test_one_tenants_held_jobs_do_not_hold_up_another(store: CheckedStore) -> None:
    await _hold(store)
    for job in many(_mail().but(concurrency_key="large"), 50):
        await store.enqueue(job)
    small = many(a_job().but(concurrency_key="small"), 3)
    for job in small:
        await store.enqueue(job)

    assert (await _claim(store)).ids == tuple(one.id for one in small)


async def test_queues_and_holds_that_end_take_turns(store: CheckedStore, client: Client, clock: Clock) -> None:
    await store.put_queue("shop/mail", a_queue())
    holds = [await _hold(store), await _hold(store, "shop.jobs.Sms.*")]
    for job in [*many(_mail(), 30), *many(_mail().on("mail"), 30), *many(a_job().but(cls="shop.jobs.Sms"), 5)]:
        await store.enqueue(job)
    for queue in (QUEUE_KEY, "shop/mail"):
        await store.claim(epoch=EPOCH, queue=queue, limit=20)
    while (await store.set_aside()).more == "yes":
        pass
    for hold in holds:
        await store.drop_hold(namespace="shop", hold_id=hold.id)

    counts: list[list[int]] = []
    for _ in range(3):
        clock.forward(1)
        await store.let_go(limit=10)
        asides = [(holds[0], QUEUE_KEY), (holds[0], "shop/mail"), (holds[1], QUEUE_KEY)]
        counts.append([await client.zcard(keys.aside(hold.id, queue, "")) for hold, queue in asides])
    assert counts == [[20, 30, 5], [20, 25, 0], [10, 25, 0]]
    while (await store.let_go()).more == "yes":
        pass


async def test_the_same_hold_twice_is_one_and_an_id_is_used_once(store: CheckedStore) -> None:
    hold = await _hold(store)
    assert await store.put_hold(hold) == "same"
    assert await store.put_hold(NewHold(hold.id, "shop", MAIL, {}, "ada")) == "conflict"
    assert await store.drop_hold(namespace="shop", hold_id=hold.id) == "dropped"
    assert await store.drop_hold(namespace="shop", hold_id=hold.id) == "dropped"
    await store.let_go()
    assert await store.drop_hold(namespace="shop", hold_id=hold.id) == "missing"


async def test_a_namespace_has_only_so_many(store: CheckedStore) -> None:
    for _ in range(MOST_HOLDS):
        await _hold(store)

    assert await store.put_hold(NewHold(new_job_id(), "shop", MAIL, {}, "ada")) == "too_many"
    assert await store.put_hold(NewHold(new_job_id(), "games", MAIL, {}, "ada")) == "put"


async def test_what_is_held_is_told_and_another_namespace_is_not_concerned(store: CheckedStore, life: Life) -> None:
    await _hold(store, MAIL, {"customer": "8841"}, for_ms=3_600_000)
    (hold,) = await store.holds(["games", "shop"])

    assert (hold.namespace, hold.pattern, hold.labels, hold.by) == ("shop", MAIL, {"customer": "8841"}, "ada")
    assert hold.note == "the provider is down"
    assert hold.until == hold.at + 3_600_000
    assert hold.view().what == "of shop.jobs.Mail with the label customer=8841"
    job = await life.enqueued(_mail().on("default", "games").but(labels={"customer": "8841"}))
    assert not await store.holds(["games"])
    await store.put_queue("games/default", a_queue())
    assert (await store.claim(epoch=EPOCH, queue="games/default", limit=1)).ids == (job.id,)


@pytest.mark.parametrize("raw", ["", "1\n2"])
async def test_a_hold_that_cannot_be_read_holds_nobody_up(
    store: CheckedStore, life: Life, client: Client, raw: str
) -> None:
    job = await life.enqueued()
    await client.hset(keys.holds("shop"), "x", raw)

    assert await store.holds(["shop"]) == []
    await _claim(store)
    assert (await store.there(job.id)).state is State.LAUNCHING
    assert await store.drop_hold(namespace="shop", hold_id="x") == "dropped"
    await store.let_go()
    assert not await client.exists(keys.holds("shop"))
