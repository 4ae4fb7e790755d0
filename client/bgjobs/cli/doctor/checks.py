"""The checks of `bgjobs doctor`: what may be wrong between a user and a job that runs.

Each check is a function from facts to findings, and asks nobody.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from bgjobs.errors import ForbiddenError, RefusedError
from bgjobs.vocabulary import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from bgjobs.cli.doctor.pods import Pods
    from bgjobs.errors import BgjobsError
    from bgjobs.wire import QueueView

MAX_SKEW_SECONDS: Final = 30
# The server's code for a job that it refuses after it has checked the caller's permissions.
QUEUE_NOT_FOUND: Final = "queue_not_found"
# The codes of warnings in `/readyz` that keep jobs from running, or lose them. All others are less urgent, and so are
# codes that this version does not know.
FATAL: Final = frozenset({
    "redis_forgets", "redis_evicts", "kubernetes_too_old", "kubernetes_unreachable", "api_permission",
    "operator_silent", "operator_waits", "operator_permission",
})  # fmt: skip
_OLD_NEWS_SECONDS: Final = 15
_REASON_CHARACTERS: Final = 200


class Level(StrEnum):
    """How bad a finding is; FAIL keeps jobs from running, or loses them."""

    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"


class Finding(NamedTuple):
    """What one check has found.

    Attributes:
        level: how bad it is.
        what: what was found, as a sentence without capital and full stop.
        remedy: what helps, as a command or in words; "" where everything is well.
        code: a word for programs that stays the same in all versions; "" where everything is well.
    """

    level: Level
    what: str
    remedy: str = ""
    code: str = ""


@dataclass(frozen=True)
class Answer:
    """The answer to one request.

    Attributes:
        status: the HTTP status; None: there was no answer.
        body: the value of its JSON, or the beginning of its text if it is not JSON.
        problem: why there was no answer.
    """

    status: int | None
    body: Any = None
    problem: str = ""

    @property
    def said(self) -> Mapping[str, Any]:
        """The body if it is a JSON object, else an empty one."""
        return cast("Mapping[str, Any]", self.body) if isinstance(self.body, dict) else {}

    @property
    def detail(self) -> str:
        """What the server says is wrong, or the text that was answered, or why there was no answer."""
        return str(self.said.get("detail") or self.body or self.problem)

    @property
    def code(self) -> str:
        """The server's code for what is wrong; "" if it does not say."""
        return str(self.said.get("code", ""))

    @property
    def user(self) -> str:
        """Who the server says is not allowed to do it; "" if it does not say."""
        return str(self.said.get("user") or "")

    @property
    def remedy(self) -> str:
        """What the server says would help; "" if it does not say."""
        return str(self.said.get("remedy") or "")


@dataclass(frozen=True)
class Facts:
    """Everything that was asked. None means that it was not asked, because something that it needs had failed.

    Attributes:
        server: the URL of the server, and how it was found.
        no_server: the error that says why there is no server; None: there is one.
        version: the version of this command; "" if it is not known.
        health: the answer to `/healthz`.
        skew_seconds: by how many seconds the server's clock is ahead of this machine's.
        ready: the answer to `/readyz`.
        pods: the pods of the installation, if kubectl may list them.
        no_token: the error that says why there is no token; None: there is one, or none is needed.
        listing: the answer to the question for one page of launched jobs.
        creating: the answer to the request for a job in a queue that does not exist, for which nothing is stored.
        queue_listing: the answer to the question for the queues.
        queues: the queues of the namespace.
        namespace: the namespace of jobs; None: the one that the server chooses for the token.
    """

    server: str = ""
    no_server: BgjobsError | None = None
    version: str = ""
    health: Answer | None = None
    skew_seconds: float | None = None
    ready: Answer | None = None
    pods: Pods | None = None
    no_token: BgjobsError | None = None
    listing: Answer | None = None
    creating: Answer | None = None
    queue_listing: Answer | None = None
    queues: tuple[QueueView, ...] = field(default=())
    namespace: str | None = None

    @property
    def where(self) -> str:
        """The words ` in NAMESPACE` with a space in front; "" if no namespace is named."""
        return f" in {self.namespace}" if self.namespace else ""

    @property
    def warnings(self) -> list[Any]:
        """The warnings in the answer to `/readyz`, as they are."""
        found = None if self.ready is None else self.ready.said.get("warnings")
        return cast("list[Any]", found) if isinstance(found, list) else []

    def warned_of(self, *codes: str) -> bool:
        """Whether the server warns with a code that begins with one of these."""
        return any(
            str(cast("Mapping[str, Any]", one).get("code")).startswith(codes)
            for one in self.warnings
            if isinstance(one, dict)
        )


def check_server(facts: Facts) -> Iterable[Finding]:
    """Check whether there is a server."""
    if isinstance(facts.no_server, RefusedError) and facts.no_server.remedy:
        yield Finding(Level.FAIL, f"server: none: {facts.no_server.detail}", facts.no_server.remedy, "no_server")
    elif facts.no_server is not None:
        yield Finding(Level.FAIL, "server: none", str(facts.no_server), "no_server")
    else:
        yield Finding(Level.OK, f"server: {facts.server}")


def check_pods(facts: Facts) -> Iterable[Finding]:
    """Check whether the pods of the installation run, if kubectl may list them."""
    if facts.pods is None:
        return
    for trouble in facts.pods.troubles:
        yield Finding(Level.FAIL if trouble.down else Level.WARN, trouble.what, trouble.remedy, "pods")
    if facts.pods.ready and not facts.pods.troubles:
        counted = ", ".join(f"{component} {number}" for component, number in sorted(facts.pods.ready.items()))
        yield Finding(Level.OK, f"its pods are ready: {counted}")


def check_health(facts: Facts) -> Iterable[Finding]:
    """Check whether the server answers."""
    if facts.health is None:
        return
    if facts.health.status == HTTPStatus.OK:
        yield Finding(Level.OK, "it answers")
    elif facts.health.status is None:
        yield Finding(
            Level.FAIL,
            f"it does not answer: {facts.health.problem}",
            "check that the URL is right, and that the API runs there",
            "no_answer",
        )
    else:
        yield Finding(
            Level.FAIL,
            f"/healthz answers {facts.health.status}",
            "check that the URL leads to bgjobs, and not to another server or a proxy",
            "no_answer",
        )


def check_version(facts: Facts) -> Iterable[Finding]:
    """Check whether command and server fit together. They do if major and minor version are the same."""
    if facts.ready is None or "problems" not in facts.ready.said or not facts.version:
        return
    theirs = str(facts.ready.said.get("version") or "")
    if theirs and _minor(theirs) == _minor(facts.version):
        yield Finding(
            Level.OK,
            f"it is version {theirs}, as this command"
            if theirs == facts.version
            else f"it is version {theirs}, which fits {facts.version} of this command",
        )
    elif theirs and _minor(theirs) > _minor(facts.version):
        yield Finding(
            Level.WARN,
            f"it is version {theirs}, newer than this command ({facts.version})",
            f"install the command of version {theirs}",
            "version",
        )
    else:
        yield Finding(
            Level.WARN,
            f"it is version {theirs or 'unknown'}, older than this command ({facts.version})",
            "ask an administrator to upgrade bgjobs on the cluster, or install the command of that version",
            "version",
        )


def check_ready(facts: Facts) -> Iterable[Finding]:
    """Check whether the server is ready, and pass on what it warns of."""
    if facts.ready is None:
        return
    problems = cast("Mapping[str, Any]", facts.ready.said.get("problems") or {})
    if facts.ready.status != HTTPStatus.OK:
        words = "; ".join(f"{part}: {why}" for part, why in problems.items()) or facts.ready.detail
        remedy = "ask an administrator to look at the pods of Redis and the API"
        yield Finding(Level.FAIL, f"it is not ready: {words}", remedy, "not_ready")
    else:
        yield Finding(Level.OK, "it is ready")
    for warning in facts.warnings:
        yield _warning(warning)


def check_clock(facts: Facts) -> Iterable[Finding]:
    """Check whether the clocks of the server and of this machine agree."""
    if facts.skew_seconds is None:
        return
    if abs(facts.skew_seconds) <= MAX_SKEW_SECONDS:
        yield Finding(Level.OK, "the clocks agree")
        return
    ahead = facts.skew_seconds > 0
    what = f"the server's clock is {abs(facts.skew_seconds):.0f} s {'ahead of' if ahead else 'behind'} this machine's"
    where = "on whichever of the two is wrong"
    if facts.ready is not None and facts.ready.said.get("version") and not facts.warned_of("redis_clock", "kubernetes"):
        what = (
            f"this machine's clock is {abs(facts.skew_seconds):.0f} s {'behind' if ahead else 'ahead of'} the server's"
        )
        where = "here"
    remedy = f"set the clock by NTP {where} (`timedatectl set-ntp true`): tokens seem too old or too new until then"
    yield Finding(Level.WARN, what, remedy, "clock")


def check_token(facts: Facts) -> Iterable[Finding]:
    """Check whether there is a token, and whether the server accepts it."""
    if facts.no_token is not None:
        yield _no_token(facts.no_token)
    if facts.listing is None:
        return
    if facts.listing.status == HTTPStatus.UNAUTHORIZED:
        remedy = "get a new one with the audience bgjobs: kubectl create token ACCOUNT --audience bgjobs"
        yield Finding(Level.FAIL, f"the token is not accepted: {facts.listing.detail}", remedy, "token")


def check_rights(facts: Facts) -> Iterable[Finding]:
    """Check whether the caller may list jobs, ask for jobs, and list queues."""
    asked = {
        "list jobs": facts.listing,
        "ask for jobs": facts.creating,
        "list queues": facts.queue_listing,
    }
    refused = {deed: one for deed, one in asked.items() if one is not None and one.status == HTTPStatus.FORBIDDEN}
    if refused:
        # The role that allows to ask for jobs allows to list them, too.
        answer = refused.get("ask for jobs") or next(iter(refused.values()))
        what = f"{answer.user or 'the caller'} may not {', '.join(refused)}{facts.where}"
        # A server of an earlier version, or a proxy, says all that it knows in its sentence.
        yield Finding(Level.FAIL, what, answer.remedy or answer.detail, "rights")
    answered = [one for one in (facts.listing, facts.queue_listing) if one is not None]
    broken = [one for one in answered if one.status not in {200, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}]
    if broken:
        remedy = "see what the lines above say"
        yield Finding(
            Level.FAIL, f"jobs and queues cannot be listed{facts.where}: {broken[0].detail}", remedy, "broken"
        )
    elif facts.creating is not None and facts.creating.status != HTTPStatus.FORBIDDEN:
        if facts.creating.code != QUEUE_NOT_FOUND:
            what = f"whether jobs may be asked for{facts.where} is unknown: {facts.creating.detail}"
            yield Finding(Level.WARN, what, "try `bgjobs run`", "rights")
        elif not refused:
            yield Finding(Level.OK, f"the caller is known, and may list jobs and ask for them{facts.where}")


def check_queues(facts: Facts) -> Iterable[Finding]:
    """Check whether there are queues, and whether each of them can run something."""
    if facts.queue_listing is None or facts.queue_listing.status != HTTPStatus.OK:
        return
    if not facts.queues:
        where = f"namespace {facts.namespace}" if facts.namespace else "the namespaces of jobs"
        yield Finding(
            Level.FAIL,
            f"{where} has no queue",
            "ask an administrator to apply a BackgroundJobQueue there, or to add the namespace to jobNamespaces",
            "no_queue",
        )
    for queue in facts.queues:
        yield from _check_queue(queue, facts.queues)


def check_progress(facts: Facts) -> Iterable[Finding]:
    """Check whether jobs wait in a queue of which none runs, although there is room."""
    if facts.warned_of("operator_"):
        return  # that is why
    for queue in facts.queues:
        if queue.queued and not queue.owned and not queue.paused and queue.max_concurrent:
            what = f"queue {queue.namespace}/{queue.name}: {queue.queued} wait and nothing runs"
            remedy = "run this again in a minute; if nothing has changed, the operator's log says why"
            yield Finding(Level.WARN, what, remedy, "no_progress")


def check_starts(facts: Facts) -> Iterable[Finding]:
    """Check whether the pods of launched jobs start."""
    said: Mapping[str, Any] = facts.listing.said if facts.listing is not None else {}
    stuck: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for job in cast("list[Mapping[str, Any]]", said.get("items") or []):
        if job.get("phase") == Phase.PENDING and job.get("reason"):
            cause = str(job["reason"]).partition(":")[0]
            stuck.setdefault((f"{job['namespace']}/{job['queue']}", cause), []).append(job)
    for (queue, _), jobs in stuck.items():
        job = jobs[0]
        reason = str(job["reason"])
        shown = reason if len(reason) <= _REASON_CHARACTERS else f"{reason[:_REASON_CHARACTERS]} ..."
        how_many = "a job" if len(jobs) == 1 else f"{len(jobs)} jobs"
        yield Finding(
            Level.WARN,
            f"queue {queue}: {how_many} cannot start: {shown}",
            f"kubectl describe pods -n {job['namespace']} -l bgjobs.dev/job-id={job['id']}",
            "job_cannot_start",
        )


CHECKS: Final[tuple[Callable[[Facts], Iterable[Finding]], ...]] = (
    check_server,
    check_pods,
    check_health,
    check_version,
    check_ready,
    check_clock,
    check_token,
    check_rights,
    check_queues,
    check_progress,
    check_starts,
)


def findings(facts: Facts) -> list[Finding]:
    """What all checks have found, in the order of the checks."""
    return [finding for check in CHECKS for finding in check(facts)]


def _minor(version: str) -> tuple[int, ...]:
    """Major and minor version: (0, 1) of `0.1.7`. A part that is not a number counts as 0."""
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split(".")[:2])


def _warning(warning: Any) -> Finding:
    if not isinstance(warning, dict):  # a server before version 0.2 warns of the settings of Redis alone, in words
        return Finding(Level.WARN, str(warning), "ask an administrator to change Redis' settings")
    said = cast("Mapping[str, Any]", warning)
    code, age = str(said.get("code", "")), said.get("age_seconds")
    old = f" (seen {age} s ago)" if isinstance(age, int) and age >= _OLD_NEWS_SECONDS else ""
    level = Level.FAIL if code in FATAL else Level.WARN
    return Finding(level, f"{said.get('detail', code)}{old}", str(said.get("remedy", "")), code)


def _no_token(why: BgjobsError) -> Finding:
    """Why there is no token; whoever may not get one needs a role for it."""
    if isinstance(why, ForbiddenError) and why.remedy:
        what = f"{why.user} may not get a token of bgjobs-cli in {why.namespace}"
        return Finding(Level.FAIL, what, why.remedy, "token")
    return Finding(Level.FAIL, "there is no token", str(why), "token")


def _check_queue(queue: QueueView, others: Iterable[QueueView]) -> Iterable[Finding]:
    name = f"queue {queue.namespace}/{queue.name}"
    # A server of an earlier version says neither.
    sent = queue.model_fields_set
    no_class = "approved_classes" in sent and not queue.approved_classes
    no_image = "image" in sent and not queue.image
    if queue.paused:
        yield Finding(Level.WARN, f"{name} is paused, and its jobs wait", _patch(queue, paused=False), "queue_paused")
    # Another queue of the namespace shows what is usual there.
    usual = next((one for one in others if one.image and one.namespace == queue.namespace), None)
    image = usual.image if usual else "IMAGE:TAG"
    if no_class and no_image:  # the cluster refuses the one without the other
        classes = usual.approved_classes if usual and usual.approved_classes else ["PACKAGE.*"]
        what = f"{name} has no image and approves no class, so it runs nothing"
        yield Finding(Level.WARN, what, _patch(queue, image=image, approvedClasses=classes), "queue_image")
    elif no_class:
        what = f"{name} approves no class, so it runs nothing"
        yield Finding(Level.WARN, what, _patch(queue, approvedClasses=["PACKAGE.*"]), "queue_classes")
    elif no_image:
        what = f"{name} has no image: jobs that name none are refused"
        yield Finding(Level.WARN, what, _patch(queue, image=image), "queue_image")
    if not queue.paused and not no_class and not no_image:
        yield Finding(Level.OK, f"{name} runs {', '.join(queue.approved_classes) or 'jobs'}")


def _patch(queue: QueueView, **spec: object) -> str:
    change = json.dumps({"spec": spec}, separators=(",", ":"))
    words = "kubectl", "patch", "backgroundjobqueue", queue.name, "-n", queue.namespace, "--type=merge", "-p", change
    return shlex.join(words)
