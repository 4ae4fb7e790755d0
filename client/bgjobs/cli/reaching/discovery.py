"""Which server the command talks to: one decision, from facts that somebody else gathered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.cli.exits import NoServerError, UsageError

if TYPE_CHECKING:
    from bgjobs.connection.local_server import LocalServer

NO_SERVER: Final = (
    "no server: start one here with `bgjobs dev`, or name one by BGJOBS_URL or --url, or let kubectl's current "
    "context be a cluster with bgjobs"
)


@dataclass(frozen=True)
class Facts:
    """What the decision rests on.

    Attributes:
        url: of `--url`.
        environ_url: of `BGJOBS_URL`.
        context: of `--context`.
        kubectl_only: whether this is `kubectl bgjobs`.
        has_kubectl: whether kubectl is on PATH.
        local: the nearest server file.
    """

    url: str | None = None
    environ_url: str | None = None
    context: str | None = None
    kubectl_only: bool = False
    has_kubectl: bool = False
    local: LocalServer | None = None


@dataclass(frozen=True)
class ByUrl:
    """A URL, with the token that the environment has."""

    url: str
    how: str


@dataclass(frozen=True)
class ByFile:
    """A server of this machine, which needs no token."""

    url: str
    namespace: str | None
    how: str
    note: str | None = None


@dataclass(frozen=True)
class ByKubectl:
    """A cluster that kubectl reaches.

    Attributes:
        context: of kubectl; None: its current one.
        asked_for: whether the user named kubectl or its context.
    """

    context: str | None
    how: str
    note: str | None = None
    asked_for: bool = False


Choice = ByUrl | ByFile | ByKubectl


def decide(facts: Facts) -> Choice:
    """The server, by the first of these that is there: `--url`, `BGJOBS_URL`, a local server, kubectl.

    `--context`, and `kubectl bgjobs`, mean kubectl and nothing else.

    Raises:
        UsageError: if `--url` and `--context` contradict each other.
        NoServerError: if there is none.
    """
    if facts.context is not None and facts.url is not None:
        raise UsageError("--url and --context are two servers; give one of them")
    if facts.url is not None:
        return ByUrl(facts.url, "--url")
    if facts.context is not None or facts.kubectl_only:
        if not facts.has_kubectl:
            raise NoServerError("kubectl is not on PATH; install it, or name a server with `bgjobs --url`")
        return _by_kubectl(facts, None)
    if facts.environ_url:
        return ByUrl(facts.environ_url, "BGJOBS_URL")
    note = None
    if facts.local is not None:
        if facts.local.url is not None and facts.local.alive:
            return ByFile(facts.local.url, facts.local.namespace, facts.local.path)
        note = _why_not(facts.local)
    if facts.has_kubectl:
        return _by_kubectl(facts, note)
    raise NoServerError(f"{NO_SERVER} ({note})" if note else NO_SERVER)


def _by_kubectl(facts: Facts, note: str | None) -> ByKubectl:
    named = f"kubectl's context {facts.context}" if facts.context is not None else "kubectl's current context"
    return ByKubectl(facts.context, named, note, asked_for=facts.context is not None or facts.kubectl_only)


def _why_not(local: LocalServer) -> str:
    if local.url is None:
        return f"{local.path} is not of a local server, so it is ignored"
    return f"{local.path} is of a server that runs no more (process {local.pid}), so it is ignored"
