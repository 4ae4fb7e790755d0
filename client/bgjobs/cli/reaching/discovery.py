"""Decides which server the command talks to, by facts that the caller has collected. Nothing is asked here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.cli.exits import NoServerError, UsageError

if TYPE_CHECKING:
    from bgjobs.connection.local_server import LocalServer

NO_SERVER: Final = (
    "no server: start one here with `bgjobs dev`, or name one by BGJOBS_URL or --url, or choose a kubectl "
    "context whose cluster has bgjobs"
)


@dataclass(frozen=True)
class Facts:
    """The facts by which the server is chosen.

    Attributes:
        url: the value of `--url`; None: it was not given.
        environ_url: the value of `BGJOBS_URL`; None: it is not set.
        context: the value of `--context`; None: it was not given.
        kubectl_only: whether the command was started as `kubectl bgjobs`.
        has_kubectl: whether kubectl is on PATH.
        local: the local server whose file is in this folder or above; None: there is no such file.
    """

    url: str | None = None
    environ_url: str | None = None
    context: str | None = None
    kubectl_only: bool = False
    has_kubectl: bool = False
    local: LocalServer | None = None


@dataclass(frozen=True)
class ByUrl:
    """The server is named by a URL, and the token is that of the environment.

    Attributes:
        url: the URL of the server.
        how: by what it was found, for people.
    """

    url: str
    how: str


@dataclass(frozen=True)
class ByFile:
    """The server is a `bgjobs dev` on this machine, whose token is in its file.

    Attributes:
        url: the URL of the server.
        namespace: the namespace of its jobs; None: it is not known.
        how: by what it was found, for people.
        note: what the user should hear about the choice; None: nothing.
    """

    url: str
    namespace: str | None
    how: str
    note: str | None = None


@dataclass(frozen=True)
class ByKubectl:
    """The server is in a cluster, which is reached by kubectl.

    Attributes:
        context: the context of kubectl; None: its current one.
        how: by what it was found, for people.
        note: what the user should hear about the choice; None: nothing.
        asked_for: whether the user has asked for kubectl or for a context.
    """

    context: str | None
    how: str
    note: str | None = None
    asked_for: bool = False


Choice = ByUrl | ByFile | ByKubectl


def decide(facts: Facts) -> Choice:
    """Choose the first of these that is there: `--url`, `BGJOBS_URL`, a local server, a cluster by kubectl.

    With `--context`, and as `kubectl bgjobs`, it is always a cluster by kubectl, unless `kubectl bgjobs` has `--url`.

    Raises:
        UsageError: if both `--url` and `--context` were given.
        NoServerError: if none of them is there, or if the file of the local server is not to be believed.
    """
    if facts.context is not None and facts.url is not None:
        raise UsageError("--url and --context name two different servers; give only one of them")
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
        if facts.local.refused:
            # Not the cluster instead: whoever stands in this folder does not mean that one.
            raise NoServerError(facts.local.refused)
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
        return f"{local.path} is not a file of `bgjobs dev`, so it is ignored"
    return f"{local.path} is ignored, because its server (process {local.pid}) is not running any more"
