"""A hostile object in a namespace: its neighbours in the same namespace do not notice, nor do others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest

from bgjobs.vocabulary import Outcome
from bgjobs_core.resources.models import API_VERSION, QUEUES, REQUESTS
from bgjobs_core.store import keys
from bgjobs_operator.pokes import Poke
from tests.isolation.course import WELL, Course, Trouble, played, readable, slow
from tests.isolation.healthy import DEEDS
from tests.isolation.installation import Installation, a_queue
from tests.isolation.kubernetes import JOBS
from tests.isolation.rules import Rule
from tests.isolation.virtual_time import until

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_SECONDS: Final = 7200
SPREADS_SECONDS: Final = 10.0
POLICY: Final = 'admission webhook "policy.example" denied the request: not on my watch'
RECOVERS_SECONDS: Final = 400.0  # a hostile object is looked at again after five minutes at most
SEVERAL: Final = 12  # more than any loop works on at once in one namespace


class HalfASurrogate(Trouble):
    """Pods whose last words are half a pair of UTF-16; JSON can say it, UTF-8 cannot."""

    words = (
        r'{"outcome": "error", "error": {"type": "Oh\ud800", "message": "\udfff"}}',  # the runner has escaped it
        '{"outcome": "error", "error": {"type": "Oh\ud800", "message": "\udfff"}}',
    )

    async def begins(self, it: Installation) -> None:
        jobs = [it.job(WELL, "fails").kept(KEPT_SECONDS).build() for _ in range(SEVERAL)]
        it.kubernetes.words.update({job.id: self.words[place % 2] for place, job in enumerate(jobs)})
        self.jobs = [job.id for job in jobs]
        await it.store.enqueue_many(jobs)
        await asyncio.sleep(SPREADS_SECONDS)

    async def recovered(self, it: Installation) -> None:
        await it.become(self.jobs, "failed", RECOVERS_SECONDS, "jobs with odd last words have")


class OddKubeJob(Trouble):
    """KubeJobs as no controller leaves them: fields are missing, null, or of another kind."""

    statuses: Final[tuple[Any, ...]] = (
        None,
        {"conditions": None},
        {"failed": "many"},
        {"failed": None, "conditions": [None]},
        {"conditions": [{"type": "Failed", "status": "True", "message": "half \ud800"}]},
    )

    async def begins(self, it: Installation) -> None:
        for number, status in enumerate(self.statuses):
            labels = {"bgjobs.dev/install": "here", **({"bgjobs.dev/job-id": None} if number % 2 else {})}
            name = f"odd-{number}"
            metadata = {"name": name, "namespace": WELL, "uid": f"uid-of-{name}", "labels": labels}
            it.kubernetes.put_as_it_is(JOBS, {"metadata": metadata, "status": status})
        it.kubernetes.break_watches(WELL)  # they are in the next list, before all that comes later
        await asyncio.sleep(SPREADS_SECONDS)


class StrayThatStays(Trouble):
    """KubeJobs that must not be there; a policy refuses to delete them."""

    async def begins(self, it: Installation) -> None:
        self.jobs = await it.enqueue(WELL, "long", SEVERAL, delay_seconds=7200.0, records_seconds=KEPT_SECONDS)
        for job in self.jobs:
            await it.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
        names = frozenset(f"bgjob-{job}" for job in self.jobs)
        it.kubernetes.rules.append(
            Rule(verbs=frozenset({"delete"}), names=names, status=403, reason="Forbidden", message=POLICY)
        )
        for job in self.jobs:
            metadata = {"name": f"bgjob-{job}", "namespace": WELL, "uid": f"stray-{job}"}
            labels = {"bgjobs.dev/install": "here", "bgjobs.dev/job-id": job}
            it.kubernetes.put_as_it_is(JOBS, {"metadata": {**metadata, "labels": labels}, "status": {}})
        it.kubernetes.break_watches(WELL)
        await asyncio.sleep(SPREADS_SECONDS)

    async def ends(self, it: Installation) -> None:
        it.kubernetes.rules.clear()

    async def recovered(self, it: Installation) -> None:
        async def gone() -> bool:
            return not any(it.kube_job(WELL, job) for job in self.jobs)

        await until("the strays are deleted", gone, RECOVERS_SECONDS)


class UndeletableKubeJob(Trouble):
    """Cancelled jobs whose KubeJobs a policy protects."""

    async def begins(self, it: Installation) -> None:
        self.jobs = await it.enqueue(WELL, "long", SEVERAL, records_seconds=KEPT_SECONDS)
        await it.become(self.jobs, "launched", 30.0)
        names = frozenset(f"bgjob-{job}" for job in self.jobs)
        it.kubernetes.rules.append(
            Rule(verbs=frozenset({"delete"}), names=names, status=403, reason="Forbidden", message=POLICY)
        )
        for job in self.jobs:
            await it.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
        await asyncio.sleep(SPREADS_SECONDS)

    async def ends(self, it: Installation) -> None:
        it.kubernetes.rules.clear()

    async def recovered(self, it: Installation) -> None:
        await it.become(self.jobs, "cancelled", RECOVERS_SECONDS, "jobs that were protected are")


class OddRequest(Trouble):
    """Requests as the API server would not take them with our CRD; it may be an older one."""

    specs: Final[tuple[Any, ...]] = (
        None,
        "nonsense",
        {},
        {"class": 7, "method": []},
        {"class": "shop.jobs.Report", "method": "quick", "parameters": "half \ud800"},
        {"class": "shop.jobs.Report", "method": "quick", "delaySeconds": 1e300},
        {"class": "shop.jobs.Report", "method": "quick", "queue": "half \ud800"},
        {"class": "shop.jobs.Report", "method": "quick", "labels": {"team": None}},
    )

    async def begins(self, it: Installation) -> None:
        for number, spec in enumerate(self.specs):
            it.kubernetes.put(REQUESTS, WELL, f"odd-{number}", spec)
        for lacking in ("generation", "creationTimestamp"):
            metadata = {"name": f"without-{lacking}", "namespace": WELL, "uid": f"uid-without-{lacking}"}
            more = {"generation": 1, "creationTimestamp": "2026-11-24T17:36:35Z"}
            del more[lacking]
            it.kubernetes.put_as_it_is(
                REQUESTS,
                {
                    "apiVersion": API_VERSION,
                    "kind": "BackgroundJobRequest",
                    "metadata": {**metadata, **more},
                    "spec": {"class": "shop.jobs.Report", "method": "long", "delaySeconds": 7200},
                },
            )
            it.kubernetes.changed(Poke(REQUESTS, WELL, metadata["name"], metadata["uid"]))
        it.kubernetes.put(QUEUES, WELL, "odd", {"maxConcurrent": "many"})
        await asyncio.sleep(SPREADS_SECONDS)


class RecordThat(Trouble):
    """Records of jobs in each of the leader's work lists are no good.

    Args:
        spoil: makes one so, by its id.
        mend: makes it good again.
    """

    def __init__(
        self,
        spoil: Callable[[Installation, str], Any],
        mend: Callable[[Installation, str], Any] | None = None,
    ) -> None:
        self.spoil = spoil
        self.mend = mend

    async def begins(self, it: Installation) -> None:
        number = iter(range(10_000))

        async def some(method: str, count: int = 3, **fields: Any) -> list[str]:
            # Each has a timeout of its own, so that none of its record is shared with others.
            return [
                (await it.enqueue(WELL, method, timeout_seconds=100.0 + next(number), **fields))[0]
                for _ in range(count)
            ]

        it.kubernetes.put(QUEUES, WELL, "narrow", a_queue(1))
        holder = await self._in_narrow(it, "long", 50.0)
        await it.become([holder], "launched", 30.0)
        queued = [await self._in_narrow(it, "quick", 51.0 + one) for one in range(3)]
        self.behind = await self._in_narrow(it, "quick", 60.0)
        ended = await some("quick")
        running, stopping = await some("long"), await some("long")
        dirty = [it.request(WELL, "long", timeoutSeconds=100.0 + next(number)) for _ in range(3)]
        await it.become(ended, "succeeded", 30.0)
        await it.become([*running, *stopping, *dirty], "launched", 30.0)
        scheduled = await some("quick", delay_seconds=5.0)
        for job in stopping:
            await it.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
        self.jobs = [*queued, *ended, *running, *stopping, *dirty, *scheduled]
        for job in self.jobs:
            await self.spoil(it, job)
        await it.store.stop(job_id=holder, verdict=Outcome.CANCELLED, by="ada", note="")
        await asyncio.sleep(SPREADS_SECONDS)

    async def _in_narrow(self, it: Installation, method: str, seconds: float) -> str:
        job = it.job(WELL, method, "narrow").but(timeout_seconds=seconds).kept(KEPT_SECONDS).build()
        await it.store.enqueue(job)
        return job.id

    async def ends(self, it: Installation) -> None:
        if self.mend is not None:
            for job in self.jobs:
                await self.mend(it, job)

    async def recovered(self, it: Installation) -> None:
        await it.become([self.behind], "succeeded", RECOVERS_SECONDS, "the job behind it in the lane has")


async def _unreadable(it: Installation, job: str) -> None:
    if await it.client.exists(keys.job(job)):
        await it.client.hset(keys.job(job), "created_at", "soon")


async def _readable(it: Installation, job: str) -> None:
    if await it.client.exists(keys.job(job)):
        await it.client.hset(keys.job(job), "created_at", "1795541795000")


async def _vanish(it: Installation, job: str) -> None:
    await it.client.delete(keys.job(job))


async def _leave_remains(it: Installation, job: str) -> None:
    await it.client.delete(keys.job(job))
    await it.client.hset(keys.job(job), "rev", "7")


async def _lose_what_is_shared(it: Installation, job: str) -> None:
    digest = await it.client.hget(keys.job(job), "spec")
    if digest is not None:
        await it.client.delete(keys.spec(digest.decode()))


NO_TROUBLE: Final = "no trouble"
TROUBLES: Final[dict[str, Callable[[], Trouble]]] = {
    NO_TROUBLE: Trouble,
    "last words with half a surrogate": HalfASurrogate,
    "KubeJobs without some fields": OddKubeJob,
    "strays that nobody may delete": StrayThatStays,
    "cancelled jobs that nobody may delete": UndeletableKubeJob,
    "requests that cannot be read": OddRequest,
    "records that cannot be read": lambda: RecordThat(_unreadable, _readable),
    "ids without a record": lambda: RecordThat(_vanish),
    "remains of records": lambda: RecordThat(_leave_remains),
    "records without what they share": lambda: RecordThat(_lose_what_is_shared),
}


def course(name: str) -> Course:
    return played(f"object: {name}", TROUBLES[name])


@pytest.mark.parametrize("deed", DEEDS, ids=readable)
@pytest.mark.parametrize("trouble", TROUBLES, ids=readable)
def test_meanwhile_beside_it(trouble: str, deed: str) -> None:
    played_out = course(trouble)
    assert played_out.wrong.get(deed, "") == ""
    assert slow(played_out, course(NO_TROUBLE), deed) == ""


@pytest.mark.parametrize("trouble", TROUBLES, ids=readable)
def test_when_it_is_over_it_is_dealt_with(trouble: str) -> None:
    assert course(trouble).aftermath == ""


@pytest.mark.parametrize("trouble", TROUBLES, ids=readable)
def test_the_leader_goes_on_and_makes_nothing_twice(trouble: str) -> None:
    assert (course(trouble).died, course(trouble).twice) == ("", [])
