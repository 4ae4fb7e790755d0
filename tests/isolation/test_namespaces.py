"""A namespace in trouble: nobody else notices, and it recovers by itself when that is over."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from bgjobs_core.resources.models import QUEUES
from tests.isolation.course import Course, Trouble, played, readable, slow
from tests.isolation.healthy import DEEDS
from tests.isolation.installation import a_queue
from tests.isolation.kubernetes import JOBS
from tests.isolation.rules import Rule
from tests.isolation.tenant import LITTLE, MUCH, Tenant

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from tests.isolation.installation import Installation

ILL: Final = "ill"
MANY: Final = tuple(f"ill-{number}" for number in range(24))  # more than any loop has places
MOST_CALLS: Final = 28  # of ten loops in half a minute
SPREADS_SECONDS: Final = 25.0
NOTICED_SECONDS: Final = 5.0  # an answer that takes longer is a trouble, which is known then


class InNamespaces(Trouble):
    """All calls in one namespace that fit have trouble, or in several namespaces.

    Args:
        rules: of each, for any namespace.
        goes_away: what is to run there is cancelled.
        namespaces: where.
        sudden: the deeds begin together with it, and it may take a loop `NOTICED_SECONDS` to know of it.
    """

    def __init__(
        self, *rules: Rule, goes_away: bool = False, namespaces: Sequence[str] = (ILL,), sudden: bool = False
    ) -> None:
        self.spreads = 0.0 if sudden else SPREADS_SECONDS
        self.notice_seconds = NOTICED_SECONDS if sudden else 0.0
        self.namespaces = namespaces
        self.rules = [replace(one, namespaces=frozenset(namespaces)) for one in rules]
        work = MUCH if len(namespaces) == 1 else LITTLE
        self.tenants = [Tenant(one, work, goes_away) for one in namespaces]

    async def before(self, it: Installation) -> None:
        await asyncio.gather(*(one.before(it) for one in self.tenants))

    async def begins(self, it: Installation) -> None:
        for one in self.tenants:
            await one.begins(it)
        it.kubernetes.rules += self.rules
        for one in self.tenants:
            it.kubernetes.break_watches(one.namespace)
        await asyncio.sleep(self.spreads)

    async def ends(self, it: Installation) -> None:
        it.kubernetes.rules.clear()

    async def recovered(self, it: Installation) -> None:
        for one in self.tenants:
            await one.recovered(it)


class NamespaceDeleted(InNamespaces):
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
    return Rule(verbs=frozenset(verbs), status=status, reason=reason, message=message, **more)


def _of_jobs(status: int, reason: str, message: str, **more: Any) -> Rule:
    """POSTs of KubeJobs."""
    return _rule({"create"}, status, reason, message, kinds=frozenset({JOBS}), **more)


FORBIDDEN: Final = '{kind} "{name}" is forbidden: User "operator" cannot create resource "{kind}" in "{namespace}"'
NO_NAMESPACE: Final = 'namespaces "{namespace}" not found'
WEBHOOK: Final = 'Internal error occurred: failed calling webhook "policy.example": connection refused'
QUOTA: Final = 'jobs.batch "{name}" is forbidden: exceeded quota: few, requested: count/jobs.batch=1'
TERMINATING: Final = 'jobs.batch "{name}" is forbidden: unable to create new content in namespace {namespace}'

NO_TROUBLE: Final = "no trouble"
TROUBLES: Final[dict[str, Callable[[], Trouble]]] = {
    NO_TROUBLE: InNamespaces,
    "forbidden": lambda: InNamespaces(_rule(set(), 403, "Forbidden", FORBIDDEN)),
    "gone": lambda: NamespaceDeleted(_rule(set(), 404, "NotFound", NO_NAMESPACE)),
    "gone with our Role in it": lambda: NamespaceDeleted(_rule(set(), 403, "Forbidden", FORBIDDEN)),
    "terminating": lambda: InNamespaces(
        _of_jobs(403, "Forbidden", TERMINATING, cause="NamespaceTerminating"), goes_away=True
    ),
    "answers after 20 s": lambda: InNamespaces(Rule(after=20.0)),
    "begins to answer after 20 s": lambda: InNamespaces(Rule(after=20.0), sudden=True),
    "begins to be forbidden": lambda: InNamespaces(_rule(set(), 403, "Forbidden", FORBIDDEN), sudden=True),
    "many answer after 20 s": lambda: InNamespaces(Rule(after=20.0), namespaces=MANY),
    "a webhook fails POSTs": lambda: InNamespaces(_of_jobs(500, "InternalError", WEBHOOK)),
    "a webhook fails everything": lambda: InNamespaces(_rule(set(), 500, "InternalError", WEBHOOK)),
    "out of quota": lambda: InNamespaces(_of_jobs(403, "Forbidden", QUOTA)),
    "many are out of quota": lambda: InNamespaces(_of_jobs(403, "Forbidden", QUOTA), namespaces=MANY),
    "told to wait for an hour": lambda: InNamespaces(_rule(set(), 429, "TooManyRequests", "later", retry_after=3600)),
}
IN_TROUBLE: Final = [one for one in TROUBLES if one != NO_TROUBLE]


def course(name: str) -> Course:
    return played(name, TROUBLES[name])


@pytest.mark.parametrize("deed", DEEDS, ids=readable)
@pytest.mark.parametrize("trouble", TROUBLES, ids=readable)
def test_meanwhile_in_another_namespace(trouble: str, deed: str) -> None:
    played_out = course(trouble)
    assert played_out.wrong.get(deed, "") == ""
    assert slow(played_out, course(NO_TROUBLE), deed) == ""


@pytest.mark.parametrize("trouble", TROUBLES, ids=readable)
def test_when_it_is_over_it_recovers_by_itself(trouble: str) -> None:
    assert course(trouble).aftermath == ""


@pytest.mark.parametrize("trouble", TROUBLES, ids=readable)
def test_the_leader_goes_on_and_makes_nothing_twice(trouble: str) -> None:
    assert (course(trouble).died, course(trouble).twice) == ("", [])


@pytest.mark.parametrize("trouble", IN_TROUBLE, ids=readable)
def test_it_is_not_asked_for_ever(trouble: str) -> None:
    assert course(trouble).spoiled <= MOST_CALLS * len(TROUBLES[trouble]().namespaces)


@pytest.mark.parametrize("trouble", IN_TROUBLE, ids=readable)
def test_readyz_names_it_as_long_as_it_lasts(trouble: str) -> None:
    during, afterwards = course(trouble).ready
    assert (during[:3], ILL in during) == ("200", True), during
    assert afterwards == "200"
