"""A namespace in trouble: nobody else notices, and it recovers by itself when that is over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import Outcome
from bgjobs_core.resources.models import QUEUES
from bgjobs_core.store import keys
from tests.isolation.course import Course, Trouble, allowed, played, readable
from tests.isolation.healthy import DEEDS
from tests.isolation.installation import Installation, a_queue
from tests.isolation.kubernetes import JOBS
from tests.isolation.rules import Rule
from tests.isolation.virtual_time import until

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

ILL: Final = "ill"
ENDED: Final = 120  # more than retire takes at once
DIRTY: Final = 510  # more than settle takes at once
INTENTS: Final = 60  # more than launch carries out at once
RUNNING: Final = 30
KEPT_SECONDS: Final = 7200  # records of jobs of the other namespace
SPREADS_SECONDS: Final = 25.0
RECOVERS_SECONDS: Final = 300.0


class InNamespace(Trouble):
    """All calls of one namespace that fit have trouble.

    Args:
        rules: of it.
        goes_away: what is to run in it is cancelled.
    """

    namespaces = (ILL,)

    def __init__(self, *rules: Rule, goes_away: bool = False) -> None:
        self.rules = rules
        self.goes_away = goes_away
        self.stopped: list[str] = []
        self.running: list[str] = []
        self.ended: list[str] = []
        self.direct: list[str] = []
        self.asked: list[str] = []
        self.dirty: list[str] = []

    async def before(self, it: Installation) -> None:
        self.ended = await it.enqueue(ILL, "quick", ENDED, records_seconds=KEPT_SECONDS)
        running = await it.enqueue(ILL, "long", RUNNING, records_seconds=KEPT_SECONDS)
        await it.become(self.ended, "succeeded", 60.0)
        await it.become(running, "launched", 60.0)
        self.stopped, self.running = running[::2], running[1::2]

    async def begins(self, it: Installation) -> None:
        later = it.job(ILL, "quick").delayed(7200)
        dirty = [later.of_request(f"later-{number}").but(id=new_job_id()).build() for number in range(DIRTY)]
        self.dirty = [job.id for job in dirty]
        await it.store.enqueue_many(dirty)
        for job in self.stopped:
            await it.store.stop(job_id=job, verdict=Outcome.CANCELLED, by="ada", note="")
        self.direct = await it.enqueue(ILL, "quick", INTENTS, records_seconds=KEPT_SECONDS)
        self.asked = [it.request(ILL, "quick") for _ in range(INTENTS)]
        it.kubernetes.put(QUEUES, ILL, "default", a_queue(it.slots + 1))
        it.kubernetes.rules += self.rules
        it.kubernetes.break_watches(ILL)
        await asyncio.sleep(SPREADS_SECONDS)

    async def ends(self, it: Installation) -> None:
        it.kubernetes.rules.clear()

    async def recovered(self, it: Installation) -> None:
        if self.goes_away:
            await it.ended([*self.direct, *self.asked], RECOVERS_SECONDS)
            self.direct, self.asked = (
                await it.enqueue(ILL, "quick", 5, records_seconds=KEPT_SECONDS),
                [it.request(ILL, "quick") for _ in range(5)],
            )
        await it.become(self.direct, "succeeded", RECOVERS_SECONDS, "jobs of the other namespace have")
        await it.become(self.stopped, "cancelled", RECOVERS_SECONDS, "cancelled jobs of the other namespace are")

        async def told() -> bool:
            said = it.said(ILL)
            return all(said.get(job) == "succeeded" for job in self.asked)

        async def retired() -> bool:
            return not any(it.kube_job(ILL, job) for job in self.ended)

        async def settled() -> bool:
            return not set(self.dirty) & set(await it.left_in(keys.dirty, ILL))

        await until("requests of the other namespace say succeeded", told, RECOVERS_SECONDS)
        await until("KubeJobs of ended jobs of the other namespace are gone", retired, RECOVERS_SECONDS)
        await until("nothing of the other namespace is left to be told", settled, RECOVERS_SECONDS)
        if not self.goes_away:
            await it.become(self.running, "launched", 1.0, "what ran on in the other namespace is")


class NamespaceDeleted(InNamespace):
    """It is deleted with all that is in it, and made again later.

    Args:
        otherwise: what befalls calls that create nothing.
    """

    def __init__(self, otherwise: Rule) -> None:
        super().__init__(_rule({"create"}, 404, "NotFound", NO_NAMESPACE), otherwise, goes_away=True)

    async def begins(self, it: Installation) -> None:
        await super().begins(it)
        it.kubernetes.drop_namespace(ILL)
        await asyncio.sleep(SPREADS_SECONDS)

    async def ends(self, it: Installation) -> None:
        await super().ends(it)
        it.kubernetes.put(QUEUES, ILL, "default", a_queue(it.slots))


def _rule(verbs: Collection[str], status: int, reason: str, message: str, **more: Any) -> Rule:
    return Rule(frozenset({ILL}), frozenset(verbs), frozenset(), frozenset(), status, reason, message, **more)


def _of_jobs(status: int, reason: str, message: str, **more: Any) -> Rule:
    """POSTs of KubeJobs."""
    posts, jobs = frozenset({"create"}), frozenset({JOBS})
    return Rule(frozenset({ILL}), posts, jobs, frozenset(), status, reason, message, **more)


FORBIDDEN: Final = '{kind} "{name}" is forbidden: User "operator" cannot create resource "{kind}" in "{namespace}"'
NO_NAMESPACE: Final = 'namespaces "{namespace}" not found'
WEBHOOK: Final = 'Internal error occurred: failed calling webhook "policy.example": connection refused'
QUOTA: Final = 'jobs.batch "{name}" is forbidden: exceeded quota: few, requested: count/jobs.batch=1'
TERMINATING: Final = 'jobs.batch "{name}" is forbidden: unable to create new content in namespace {namespace}'

NO_TROUBLE: Final = "no trouble"
TROUBLES: Final[dict[str, Callable[[], Trouble]]] = {
    NO_TROUBLE: InNamespace,
    "forbidden": lambda: InNamespace(_rule(set(), 403, "Forbidden", FORBIDDEN)),
    "gone": lambda: NamespaceDeleted(_rule(set(), 404, "NotFound", NO_NAMESPACE)),
    "gone with our Role in it": lambda: NamespaceDeleted(_rule(set(), 403, "Forbidden", FORBIDDEN)),
    "terminating": lambda: InNamespace(
        _of_jobs(403, "Forbidden", TERMINATING, cause="NamespaceTerminating"), goes_away=True
    ),
    "answers after 20 s": lambda: InNamespace(Rule(frozenset({ILL}), after=20.0)),
    "a webhook fails POSTs": lambda: InNamespace(_of_jobs(500, "InternalError", WEBHOOK)),
    "a webhook fails everything": lambda: InNamespace(_rule(set(), 500, "InternalError", WEBHOOK)),
    "out of quota": lambda: InNamespace(_of_jobs(403, "Forbidden", QUOTA)),
    "told to wait for an hour": lambda: InNamespace(_rule(set(), 429, "TooManyRequests", "later", retry_after=3600)),
}
IN_TROUBLE: Final = [one for one in TROUBLES if one != NO_TROUBLE]


def course(name: str) -> Course:
    return played(name, TROUBLES[name])


@pytest.mark.parametrize("deed", DEEDS, ids=readable)
@pytest.mark.parametrize("trouble", TROUBLES, ids=readable)
def test_meanwhile_in_another_namespace(trouble: str, deed: str) -> None:
    played_out = course(trouble)
    assert played_out.wrong.get(deed, "") == ""
    assert played_out.took[deed] <= allowed(course(NO_TROUBLE), deed)


@pytest.mark.parametrize("trouble", TROUBLES, ids=readable)
def test_when_it_is_over_it_recovers_by_itself(trouble: str) -> None:
    assert course(trouble).aftermath == ""


@pytest.mark.parametrize("trouble", TROUBLES, ids=readable)
def test_the_leader_goes_on_and_makes_nothing_twice(trouble: str) -> None:
    assert (course(trouble).died, course(trouble).twice) == ("", [])
