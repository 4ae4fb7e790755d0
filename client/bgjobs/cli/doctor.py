"""What may be wrong between a person and a job that runs: each check is a function from facts to findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bgjobs.wire import QueueView

MAX_SKEW_SECONDS: Final = 30
# The server's word for a job that it refuses only after it has looked at the caller's rights.
QUEUE_NOT_FOUND: Final = "queue_not_found"


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


class Finding(NamedTuple):
    """One line of the report.

    Attributes:
        what: was looked at, and what was seen.
        remedy: what mends it; empty where nothing needs to be.
    """

    level: Level
    what: str
    remedy: str = ""


@dataclass(frozen=True)
class Answer:
    """What one request brought.

    Attributes:
        status: of HTTP; None: no answer.
        body: of JSON; else text.
        problem: why there is no answer.
    """

    status: int | None
    body: Any = None
    problem: str = ""

    @property
    def said(self) -> Mapping[str, Any]:
        """The body, if it is an object."""
        return cast("Mapping[str, Any]", self.body) if isinstance(self.body, dict) else {}

    @property
    def detail(self) -> str:
        """What the server says of an error."""
        return str(self.said.get("detail") or self.body or self.problem)

    @property
    def code(self) -> str:
        """The server's word for an error."""
        return str(self.said.get("code", ""))


@dataclass(frozen=True)
class Facts:
    """All that was asked; None: it was not, since what it needs failed before.

    Attributes:
        server: its URL and how it was found.
        no_server: why there is none.
        health: of `/healthz`.
        skew_seconds: the server's clock less this machine's.
        ready: of `/readyz`.
        no_token: why the caller cannot show who it is.
        listing: of one page of jobs.
        creating: of a job for a queue that does not exist, which stores nothing.
        queue_listing: of the queues.
        queues: those of the namespace.
        namespace: for jobs; None: the server knows.
    """

    server: str = ""
    no_server: str = ""
    health: Answer | None = None
    skew_seconds: float | None = None
    ready: Answer | None = None
    no_token: str = ""
    listing: Answer | None = None
    creating: Answer | None = None
    queue_listing: Answer | None = None
    queues: tuple[QueueView, ...] = field(default=())
    namespace: str | None = None


def check_server(facts: Facts) -> Iterable[Finding]:
    """Is there one?"""
    if facts.no_server:
        yield Finding(Level.FAIL, "server: none", facts.no_server)
    else:
        yield Finding(Level.OK, f"server: {facts.server}")


def check_health(facts: Facts) -> Iterable[Finding]:
    """Does it answer?"""
    if facts.health is None:
        return
    if facts.health.status == HTTPStatus.OK:
        yield Finding(Level.OK, "it answers")
    elif facts.health.status is None:
        yield Finding(
            Level.FAIL, f"it does not answer: {facts.health.problem}", "is the URL right, and does the API run there?"
        )
    else:
        yield Finding(
            Level.FAIL,
            f"/healthz answers {facts.health.status}",
            "does the URL lead to bgjobs, and not to another server or a proxy?",
        )


def check_ready(facts: Facts) -> Iterable[Finding]:
    """Can it serve requests, without losing jobs?"""
    if facts.ready is None:
        return
    problems = cast("Mapping[str, Any]", facts.ready.said.get("problems") or {})
    if facts.ready.status != HTTPStatus.OK:
        words = "; ".join(f"{part}: {why}" for part, why in problems.items()) or facts.ready.detail
        yield Finding(
            Level.FAIL, f"it is not ready: {words}", "an administrator looks at the pods of Redis and the API"
        )
        return
    yield Finding(Level.OK, "it is ready")
    for warning in cast("list[str]", facts.ready.said.get("warnings") or []):
        yield Finding(Level.WARN, str(warning), "an administrator changes Redis' settings")


def check_clock(facts: Facts) -> Iterable[Finding]:
    """Do both clocks show the same?"""
    if facts.skew_seconds is None:
        return
    if abs(facts.skew_seconds) > MAX_SKEW_SECONDS:
        where = "ahead of" if facts.skew_seconds > 0 else "behind"
        yield Finding(
            Level.WARN,
            f"the server's clock is {abs(facts.skew_seconds):.0f} s {where} this machine's",
            "set the clocks by NTP; tokens and ages may seem too old or too new until then",
        )
    else:
        yield Finding(Level.OK, "the clocks agree")


def check_token(facts: Facts) -> Iterable[Finding]:
    """Is the caller known, and may they list jobs?"""
    if facts.no_token:
        yield Finding(Level.FAIL, "there is no token", facts.no_token)
    if facts.listing is None:
        return
    where = f" in {facts.namespace}" if facts.namespace else ""
    if facts.listing.status == HTTPStatus.UNAUTHORIZED:
        yield Finding(
            Level.FAIL, f"the token is not accepted: {facts.listing.detail}", "get a new one with the audience bgjobs"
        )
    elif facts.listing.status == HTTPStatus.FORBIDDEN:
        yield Finding(Level.FAIL, f"listing jobs{where} is not allowed (verb list)", facts.listing.detail)
    elif facts.listing.status != HTTPStatus.OK:
        yield Finding(Level.FAIL, f"jobs{where} cannot be listed: {facts.listing.detail}", "see the lines above")
    else:
        yield Finding(Level.OK, f"the caller is known and may list jobs{where}")


def check_create(facts: Facts) -> Iterable[Finding]:
    """May the caller ask for jobs?"""
    if facts.creating is None:
        return
    where = f" in {facts.namespace}" if facts.namespace else ""
    if facts.creating.status == HTTPStatus.FORBIDDEN:
        yield Finding(Level.FAIL, f"asking for jobs{where} is not allowed (verb create)", facts.creating.detail)
    elif facts.creating.code == QUEUE_NOT_FOUND:
        yield Finding(Level.OK, f"the caller may ask for jobs{where}")
    else:
        yield Finding(
            Level.WARN, f"whether jobs{where} may be asked for is unknown: {facts.creating.detail}", "try `bgjobs run`"
        )


def check_queues(facts: Facts) -> Iterable[Finding]:
    """Are there queues that can run something?"""
    if facts.queue_listing is None:
        return
    if facts.queue_listing.status != HTTPStatus.OK:
        verb = " (verb list)" if facts.queue_listing.status == HTTPStatus.FORBIDDEN else ""
        yield Finding(Level.FAIL, f"queues cannot be listed{verb}", facts.queue_listing.detail)
        return
    if not facts.queues:
        where = f"namespace {facts.namespace}" if facts.namespace else "the namespaces of jobs"
        yield Finding(
            Level.FAIL,
            f"{where} has no queue",
            "an administrator applies a BackgroundJobQueue there, or adds the namespace to jobNamespaces",
        )
    for queue in facts.queues:
        yield from _check_queue(queue)


def check_progress(facts: Facts) -> Iterable[Finding]:
    """Do jobs wait while nothing runs?"""
    for queue in facts.queues:
        if queue.queued and not queue.owned and not queue.paused and queue.max_concurrent:
            yield Finding(
                Level.WARN,
                f"queue {queue.namespace}/{queue.name}: {queue.queued} wait and nothing runs",
                "look again in a minute; if it stays, does the operator run? `kubectl get pods -A -l "
                "app.kubernetes.io/name=bgjobs`",
            )


CHECKS: Final[tuple[Callable[[Facts], Iterable[Finding]], ...]] = (
    check_server,
    check_health,
    check_ready,
    check_clock,
    check_token,
    check_create,
    check_queues,
    check_progress,
)


def findings(facts: Facts) -> list[Finding]:
    """Of all checks, in their order."""
    return [finding for check in CHECKS for finding in check(facts)]


def _check_queue(queue: QueueView) -> Iterable[Finding]:
    name = f"queue {queue.namespace}/{queue.name}"
    edit = f"kubectl edit backgroundjobqueue {queue.name} -n {queue.namespace}"
    if queue.paused:
        yield Finding(Level.WARN, f"{name} is paused", f"its jobs wait until spec.paused is false: `{edit}`")
    # A server of an earlier version says neither.
    sent = queue.model_fields_set
    no_class = "approved_classes" in sent and not queue.approved_classes
    no_image = "image" in sent and not queue.image
    if no_class:
        yield Finding(Level.WARN, f"{name} approves no class, so it runs nothing", f"add approvedClasses: `{edit}`")
    if no_image:
        yield Finding(
            Level.WARN, f"{name} has no image of its own", f"give one with each job, or set spec.image: `{edit}`"
        )
    if not queue.paused and not no_class and not no_image:
        yield Finding(Level.OK, f"{name} runs {', '.join(queue.approved_classes) or 'jobs'}")
