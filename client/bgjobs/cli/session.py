"""One run of the command: what it was told of the server, and the client that follows from it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bgjobs.cli.exits import NoServerError, NoTokenError
from bgjobs.cli.reaching import discovery
from bgjobs.cli.reaching.kubectl import Kubectl, KubectlError, Service, find_kubectl
from bgjobs.cli.showing.text import clean
from bgjobs.connection import local_server
from bgjobs.connection.server import parse_url
from bgjobs.connection.settings import ENV_TOKEN, find_token
from bgjobs.errors import ConfigurationError
from bgjobs.protocol import ENV_TOKEN_FILE, ENV_URL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

    import httpx2

    from bgjobs.client.job_client import JobClient

# Somebody looks at the terminal: a server that is away is told at once, unless it was there and is waited for.
_RETRY_SECONDS: Final = 3.0
_PATIENT_SECONDS: Final = 120.0


@dataclass
class World:
    """Everything around the command; tests put other things in it.

    Attributes:
        kubectl_only: whether this is `kubectl bgjobs`.
        transport: in place of the network to servers named by a URL.
        now: seconds since 1970.
        clock: seconds since some time.
        ending: what is closed at the end of the command.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    folder: Path = field(default_factory=Path.cwd)
    kubectl_only: bool = False
    transport: httpx2.BaseTransport | None = None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    ending: ExitStack = field(default_factory=ExitStack)


class Connection(NamedTuple):
    """The way to the API.

    Attributes:
        url: of the server.
        token: gives it at each request; None: the server wants none.
        namespace: for jobs and lists that name none; None: the server knows.
        transport: to send by; None: the network.
        environ: for the client; empty where the token comes otherwise.
    """

    url: str
    token: Callable[[], str | None]
    namespace: str | None
    transport: httpx2.BaseTransport | None
    environ: Mapping[str, str]


class Cluster(NamedTuple):
    """An installation that kubectl reaches.

    Attributes:
        service: of the API.
        namespace: of the jobs.
    """

    kubectl: Kubectl
    service: Service
    namespace: str


class Session:
    """The options that all commands share, and what they lead to.

    Args:
        world: around the command.
        url: of `--url`.
        namespace: of `--namespace`.
        context: of `--context`.
        quiet: whether only errors are said.
    """

    def __init__(
        self,
        world: World,
        *,
        url: str | None = None,
        namespace: str | None = None,
        context: str | None = None,
        quiet: bool = False,
    ) -> None:
        self.world = world
        self.url = url
        self.asked_namespace = namespace
        self.context = context
        self.quiet = quiet

    def say(self, words: str) -> None:
        """A line for people, on standard error."""
        if not self.quiet:
            print(clean(words), file=sys.stderr, flush=True)

    @cached_property
    def kubectl_program(self) -> str | None:
        """kubectl, if it is on PATH."""
        return find_kubectl(self.world.environ)

    @cached_property
    def choice(self) -> discovery.Choice:
        """Which server it is; see `discovery.decide`."""
        return discovery.decide(
            discovery.Facts(
                url=self.url,
                environ_url=self.world.environ.get(ENV_URL),
                context=self.context,
                kubectl_only=self.world.kubectl_only,
                has_kubectl=self.kubectl_program is not None,
                local=local_server.find(self.world.folder),
            )
        )

    @cached_property
    def cluster(self) -> Cluster | None:
        """The installation in the cluster of kubectl's context; None: the server is another one.

        Raises:
            NoServerError: without kubectl, or if it finds none.
            KubectlForbiddenError: if the user may not look.
        """
        choice = self.choice
        if not isinstance(choice, discovery.ByKubectl):
            return None
        if self.kubectl_program is None:
            raise NoServerError("kubectl is not on PATH")
        kubectl = Kubectl(self.kubectl_program, choice.context, self.world.environ)
        namespace = self.asked_namespace or kubectl.namespace()
        return Cluster(kubectl, kubectl.service(namespace), namespace)

    @cached_property
    def connection(self) -> Connection:
        """The way to the API, opened.

        Raises:
            NoServerError: if there is none.
            NoTokenError: if the server wants a token and the environment has none.
        """
        choice = self.choice
        if isinstance(choice, discovery.ByKubectl):
            return self._by_kubectl(choice)
        if isinstance(choice, discovery.ByFile):
            # What the environment says is for another server: it is not shown to this one.
            return Connection(
                choice.url, lambda: None, self.asked_namespace or choice.namespace, self.world.transport, {}
            )
        address = parse_url(choice.url)
        try:
            token = find_token(None, address, self.world.environ)
        except ConfigurationError as error:
            raise NoTokenError(
                f"no token for {address.url}: set {ENV_TOKEN}, or {ENV_TOKEN_FILE}; on a cluster "
                "`kubectl create token ACCOUNT --audience bgjobs` makes one"
            ) from error
        return Connection(choice.url, token, self.asked_namespace, self.world.transport, self.world.environ)

    @property
    def namespace(self) -> str | None:
        """For jobs and lists; None: the server knows."""
        return self.connection.namespace

    def client(
        self, *, patient: bool = False, timeout_seconds: float = 15, retry_seconds: float | None = None
    ) -> JobClient:
        """A client of the API.

        Args:
            patient: whether a server that goes away for a moment is waited for.
            timeout_seconds: of one request.
            retry_seconds: in place of what `patient` means.
        """
        from bgjobs.client.job_client import JobClient  # noqa: PLC0415 - `--help` does not pay for HTTP and models

        wanted = _PATIENT_SECONDS if patient else _RETRY_SECONDS
        connection = self.connection
        client = JobClient(
            connection.url,
            namespace=connection.namespace,
            timeout_seconds=timeout_seconds,
            retry_seconds=wanted if retry_seconds is None else retry_seconds,
            transport=connection.transport,
            sleep=self.world.sleep,
            environ=connection.environ,
        )
        self.world.ending.callback(client.close)
        return client

    def _by_kubectl(self, choice: discovery.ByKubectl) -> Connection:
        from bgjobs.cli.reaching.cluster import ClusterTransport  # noqa: PLC0415 - as in `client`

        if choice.note:
            self.say(f"bgjobs: {choice.note}")
        try:
            found = self.cluster
        except KubectlError as error:
            if choice.asked_for:
                raise
            # kubectl was the last of the ways, and nobody asked for it by name.
            raise NoServerError(f"{discovery.NO_SERVER} ({error})") from error
        assert found is not None  # noqa: S101 - it was chosen
        _end_in_order(self.world.ending)
        transport = ClusterTransport(found.kubectl, found.service, found.namespace)
        self.world.ending.callback(transport.end)
        return Connection(transport.url, transport.token, found.namespace, transport, {})


def _end_in_order(ending: ExitStack) -> None:
    """Let SIGTERM and SIGHUP end the command as Ctrl-C does: with kubectl's process ended too."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        ending.callback(signal.signal, number, signal.signal(number, _exit))


def _exit(number: int, _: FrameType | None) -> Any:
    raise SystemExit(128 + number)
