"""The Lease against an API server in this process; where a test waits for its end, its 15 seconds are one here."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import pytest

from bgjobs_core.kube.errors import KubeUnreachableError
from bgjobs_operator.cluster.lease import NOTE, Lease, Timing
from tests.unit.operator.fake_cluster import Answer
from tests.unit.operator.world import until

if TYPE_CHECKING:
    from tests.unit.operator.fake_cluster import FakeCluster

NAME: Final = "bgjobs-operator"
# Never expires while a test runs, however busy the machine is.
STEADY: Final = Timing(duration=120.0, margin=30.0, renew=0.1, retry=0.03)
# Expires soon, for tests that wait for that.
QUICK: Final = Timing(duration=1.0, margin=0.25, renew=0.1, retry=0.03)
# The margin is for what holds a process up, on a loaded machine that runs tests too.
PATIENT: Final = Timing(duration=5.0, margin=4.0, renew=0.1, retry=0.03)


def a_lease(cluster: FakeCluster, identity: str = "pod-a/1", timing: Timing = STEADY) -> Lease:
    return Lease(cluster.kube(), "bgjobs", NAME, identity, timing)


def holder(cluster: FakeCluster) -> str:
    return cluster.leases[NAME]["spec"]["holderIdentity"] if cluster.leases else ""


class Leading:
    """A leading task that notes what happens to it."""

    def __init__(self, *, slow_to_end: bool = False) -> None:
        self.began = asyncio.Event()
        self.cancelled_at: float | None = None
        self.may_end = asyncio.Event()
        self.ended = False
        self._slow = slow_to_end

    async def lead(self) -> None:
        """Until it is cancelled."""
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled_at = time.monotonic()
            if self._slow:
                await self.may_end.wait()
            self.ended = True


class TestAcquire:
    async def test_where_there_is_none(self, cluster: FakeCluster) -> None:
        await a_lease(cluster).acquire()
        spec = cluster.leases[NAME]["spec"]
        assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("pod-a/1", 120, 0)
        assert spec["acquireTime"] == spec["renewTime"]

    async def test_one_that_was_released(self, cluster: FakeCluster) -> None:
        await a_lease(cluster, "pod-b/1").acquire()
        cluster.leases[NAME]["spec"]["holderIdentity"] = ""
        await asyncio.wait_for(a_lease(cluster).acquire(), STEADY.duration / 2)
        assert holder(cluster) == "pod-a/1"

    async def test_of_a_dead_process_of_this_pod(self, cluster: FakeCluster) -> None:
        await a_lease(cluster, "pod-a/0").acquire()
        await asyncio.wait_for(a_lease(cluster).acquire(), STEADY.duration / 2)
        assert cluster.leases[NAME]["spec"]["leaseTransitions"] == 1

    async def test_one_that_is_not_renewed(self, cluster: FakeCluster) -> None:
        await a_lease(cluster, "pod-b/1", QUICK).acquire()
        cluster.leases[NAME]["spec"]["renewTime"] = "2000-01-01T00:00:00.000000Z"  # other clocks are not trusted
        began = time.monotonic()
        await a_lease(cluster, timing=QUICK).acquire()
        assert time.monotonic() - began > QUICK.duration
        assert holder(cluster) == "pod-a/1"

    async def test_not_one_that_is_held(self, cluster: FakeCluster) -> None:
        first, leading = a_lease(cluster, "pod-b/1"), Leading()
        await first.acquire()
        holding = asyncio.create_task(first.hold(leading.lead))
        # For the one that waits, two seconds without news would be enough. The holder's news come ten times a second.
        waiting = asyncio.create_task(a_lease(cluster, timing=Timing(duration=2.0, retry=0.03)).acquire())
        began = time.monotonic()
        await until(lambda: time.monotonic() - began > 2.5)
        assert not waiting.done()
        assert not holding.done()
        holding.cancel()
        await asyncio.wait({holding})
        await asyncio.wait_for(waiting, STEADY.duration / 2)  # it was released: no need to wait for its end
        assert holder(cluster) == "pod-a/1"

    async def test_by_one_of_two_that_come_at_once(self, cluster: FakeCluster) -> None:
        both = [asyncio.create_task(a_lease(cluster, f"pod-{name}/1").acquire()) for name in "ab"]
        done, waiting = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        assert (len(done), len(waiting)) == (1, 1)
        for task in waiting:
            task.cancel()
        await asyncio.wait(both)

    async def test_when_the_api_server_comes_back(self, cluster: FakeCluster) -> None:
        cluster.away = True
        waiting = asyncio.create_task(a_lease(cluster).acquire())
        await until(lambda: len(cluster.calls) > 2)
        cluster.away = False
        await asyncio.wait_for(waiting, 5)
        assert holder(cluster) == "pod-a/1"


class TestHold:
    async def test_renews_it(self, cluster: FakeCluster) -> None:
        lease, leading = a_lease(cluster), Leading()
        await lease.acquire()
        acquired = cluster.leases[NAME]["spec"]["acquireTime"]
        holding = asyncio.create_task(lease.hold(leading.lead))
        await until(lambda: len(cluster.asked("PUT")) > 2)
        assert not holding.done()
        spec = cluster.leases[NAME]["spec"]
        assert spec["acquireTime"] == acquired < spec["renewTime"]
        assert spec["leaseTransitions"] == 0
        holding.cancel()
        await asyncio.wait({holding})

    @pytest.mark.parametrize("trouble", ["away", "mute"])
    async def test_ends_the_leading_task_before_others_may_lead(self, cluster: FakeCluster, trouble: str) -> None:
        lease, leading = a_lease(cluster, timing=PATIENT), Leading()
        await lease.acquire()
        setattr(cluster, trouble, True)
        began = time.monotonic()
        releasing = asyncio.create_task(lease.hold(leading.lead))
        await until(lambda: leading.cancelled_at)
        assert leading.cancelled_at is not None
        assert PATIENT.renew < leading.cancelled_at - began < PATIENT.duration
        setattr(cluster, trouble, False)
        releasing.cancel()
        await asyncio.wait({releasing})

    async def test_survives_a_short_absence(self, cluster: FakeCluster) -> None:
        lease, leading = a_lease(cluster), Leading()
        await lease.acquire()
        holding = asyncio.create_task(lease.hold(leading.lead))
        cluster.away = True
        calls = len(cluster.calls)
        await until(lambda: len(cluster.calls) > calls + 1)
        cluster.away = False
        renewed = cluster.leases[NAME]["spec"]["renewTime"]
        await until(lambda: cluster.leases[NAME]["spec"]["renewTime"] != renewed)
        assert leading.cancelled_at is None
        holding.cancel()
        await asyncio.wait({holding})

    @pytest.mark.parametrize("thief", ["pod-b/1", "pod-a/2"])
    async def test_ends_at_once_when_somebody_else_holds_it(self, cluster: FakeCluster, thief: str) -> None:
        """Even one of our own pod name: two of them must not take it from each other for ever."""
        lease, leading = a_lease(cluster), Leading()
        await lease.acquire()
        holding = asyncio.create_task(lease.hold(leading.lead))
        await leading.began.wait()
        taken = a_lease(cluster, thief, Timing(duration=-1, retry=0.01))  # as if ours had expired for it
        await taken.acquire()
        await asyncio.wait_for(holding, (STEADY.duration - STEADY.margin) / 2)  # long before it could have expired
        assert leading.ended
        assert holder(cluster) == thief, "and it does not release what is not its own"

    async def test_goes_on_after_a_conflict(self, cluster: FakeCluster) -> None:
        lease, leading = a_lease(cluster), Leading()
        await lease.acquire()
        holding = asyncio.create_task(lease.hold(leading.lead))
        changed_by_others = cluster.leases[NAME] = {**cluster.leases[NAME]}
        changed_by_others["metadata"] = {**changed_by_others["metadata"], "resourceVersion": "99"}
        renewed = changed_by_others["spec"]["renewTime"]
        await until(lambda: cluster.leases[NAME]["spec"]["renewTime"] != renewed)
        assert not holding.done()
        holding.cancel()
        await asyncio.wait({holding})

    async def test_a_shutdown_releases_it(self, cluster: FakeCluster) -> None:
        lease, leading = a_lease(cluster), Leading()
        await lease.acquire()
        holding = asyncio.create_task(lease.hold(leading.lead))
        await leading.began.wait()
        holding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await holding
        assert leading.ended
        assert holder(cluster) == ""

    async def test_a_cancelled_leader_is_awaited(self, cluster: FakeCluster) -> None:
        """Its last writes must not happen while the next one leads."""
        lease, leading = a_lease(cluster), Leading(slow_to_end=True)
        await lease.acquire()
        holding = asyncio.create_task(lease.hold(leading.lead))
        await leading.began.wait()
        holding.cancel()
        await until(lambda: leading.cancelled_at)
        assert not holding.done()
        assert holder(cluster) == "pod-a/1"
        leading.may_end.set()
        await asyncio.wait({holding})
        assert holder(cluster) == ""

    async def test_what_the_leading_task_raises_is_raised(self, cluster: FakeCluster) -> None:
        lease = a_lease(cluster)
        await lease.acquire()

        async def broken() -> None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await lease.hold(broken)
        assert holder(cluster) == ""

    async def test_a_process_that_was_held_up_writes_nothing_when_it_goes_on(self, cluster: FakeCluster) -> None:
        """It goes on in the middle of what it did, before anything can tell it that it does not lead any more."""
        kube = cluster.kube()
        lease = Lease(kube, "bgjobs", NAME, "pod-a/1", QUICK)
        writing = kube.fenced(lease.is_ours)
        await lease.acquire()
        said: list[str] = []

        async def lead() -> None:
            cluster.script("POST /before", Answer({}))
            await writing.request("POST", "/before")
            time.sleep(QUICK.duration)  # noqa: ASYNC251 - as SIGSTOP does: nothing else of this process goes on
            with pytest.raises(KubeUnreachableError) as caught:
                await writing.request("POST", "/after")
            said.append(str(caught.value))
            await asyncio.Event().wait()

        await asyncio.wait_for(lease.hold(lead), 5)
        assert said == ["POST /after: not sent, as somebody else may lead by now"]
        assert [call.path for call in cluster.asked("POST") if call.path in {"/before", "/after"}] == ["/before"]

    async def test_a_leading_task_that_ends_ends_it(self, cluster: FakeCluster) -> None:
        lease = a_lease(cluster)
        await lease.acquire()

        async def short() -> None:
            """Nothing to do."""

        await lease.hold(short)
        assert holder(cluster) == ""


async def test_a_lease_that_may_not_be_read_is_waited_for(cluster: FakeCluster) -> None:
    cluster.refused = True
    waiting = asyncio.create_task(a_lease(cluster).acquire())
    await until(lambda: len(cluster.calls) > 2)
    cluster.refused = False
    await asyncio.wait_for(waiting, 5)
    assert holder(cluster) == "pod-a/1"


class TestNote:
    async def test_it_is_kept_with_each_renewal_and_read_by_the_next_one(self, cluster: FakeCluster) -> None:
        notes = iter(["", "first", "second"])
        before = Lease(cluster.kube(), "bgjobs", NAME, "pod-a/1", STEADY, note=lambda: next(notes, "last"))
        await before.acquire()
        leading = Leading()
        holding = asyncio.create_task(before.hold(leading.lead))
        await until(lambda: cluster.leases[NAME]["metadata"].get("annotations") == {NOTE: "second"})
        holding.cancel()
        await asyncio.wait({holding})

        after = a_lease(cluster, "pod-b/1")
        await after.acquire()
        assert after.noted == "last", "what is let go keeps the latest one"
        assert cluster.leases[NAME]["metadata"]["annotations"] == {NOTE: "last"}, "who knows nothing leaves it there"
