"""One run of the command: the server that its options and the environment lead to, and the client for it."""

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
from bgjobs.connection.settings import ENV_TOKEN, find_call_seconds, find_token
from bgjobs.errors import ConfigurationError
from bgjobs.protocol import ENV_TOKEN_FILE, ENV_URL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

    import httpx2

    from bgjobs.client.job_client import JobClient

# For how long requests are sent again that get no answer. Somebody looks at the terminal, so that it is short, except
# where a job is waited for: the server may go away for a moment meanwhile.
_RETRY_SECONDS: Final = 3.0
_PATIENT_SECONDS: Final = 120.0


@dataclass
class World:
    """What the command works with of its process and machine. Tests put stand-ins into it.

    Attributes:
        environ: the environment of the process.
        folder: the current folder.
        kubectl_only: whether it was started as `kubectl bgjobs`.
        transport: what sends requests to a server that is named by a URL; None: the network.
        sleep: waits for some seconds.
        clock: tells seconds since some moment, for measuring.
        now: tells seconds since 1970.
        ending: what is to be closed when the command ends.
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
    """How the API is reached.

    Attributes:
        url: the URL of the server.
        token: gives the token at each request, or None if the server needs none.
        namespace: the namespace of jobs and lists; None: the one that the server chooses for the token.
        transport: what sends the requests; None: the network.
    """

    url: str
    token: Callable[[], str | None]
    namespace: str | None
    transport: httpx2.BaseTransport | None


class Cluster(NamedTuple):
    """An installation of bgjobs in a cluster that kubectl reaches.

    Attributes:
        kubectl: kubectl, with the context of the cluster.
        service: the Service of the API.
        namespace: the namespace of the jobs.
    """

    kubectl: Kubectl
    service: Service
    namespace: str


class Session:
    """The options that all subcommands have, and the server, connection and client that they lead to.

    Args:
        world: what the command works with.
        url: the value of `--url`; None: it was not given.
        namespace: the value of `--namespace`; None: it was not given.
        context: the value of `--context`; None: it was not given.
        quiet: whether nothing but errors is printed on standard error.
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
        """Print a line for people on standard error, unless the user wants it quiet."""
        if not self.quiet:
            print(clean(words), file=sys.stderr, flush=True)

    @cached_property
    def kubectl_program(self) -> str | None:
        """The path of kubectl; None if it is not on PATH."""
        return find_kubectl(self.world.environ)

    @cached_property
    def choice(self) -> discovery.Choice:
        """Which server to talk to, as `discovery.decide` decides it.

        Raises:
            UsageError: if the options contradict each other.
            NoServerError: if there is none.
        """
        return discovery.decide(
            discovery.Facts(
                url=self.url,
                environ_url=self.world.environ.get(ENV_URL),
                context=self.context,
                kubectl_only=self.world.kubectl_only,
                has_kubectl=self.kubectl_program is not None,
                local=self.local,
            )
        )

    @cached_property
    def local(self) -> local_server.LocalServer | None:
        """The `bgjobs dev` whose file is in this folder or above, whether or not it is chosen; None: there is none."""
        return local_server.find(self.world.folder)

    @cached_property
    def cluster(self) -> Cluster | None:
        """The installation in the cluster of kubectl's context; None if the server is not reached by kubectl.

        Raises:
            NoServerError: if kubectl is not installed, or if it finds no installation.
            KubectlForbiddenError: if the user may not look for one.
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
        """How the API is reached. If that is by kubectl, the port is opened when this is asked for the first time.

        Raises:
            NoServerError: if there is no server, or if it cannot be reached.
            NoTokenError: if the server needs a token, and the environment has none.
        """
        choice = self.choice
        if isinstance(choice, discovery.ByKubectl):
            return self._by_kubectl(choice)
        if isinstance(choice, discovery.ByFile):
            assert self.local is not None  # noqa: S101 - it was chosen
            # A token of the environment is meant for another server, so it is not shown to this one.
            token = local_server.ServerToken(self.local)
            return Connection(choice.url, token, self.asked_namespace or choice.namespace, self.world.transport)
        address = parse_url(choice.url)
        try:
            token = find_token(None, address, self.world.environ, folder=self.world.folder)
        except ConfigurationError as error:
            raise NoTokenError(
                f"no token for {address.url}: set {ENV_TOKEN}, or {ENV_TOKEN_FILE} to a file with one; on a cluster "
                "`kubectl create token ACCOUNT --audience bgjobs` makes one"
            ) from error
        return Connection(choice.url, token, self.asked_namespace, self.world.transport)

    @property
    def namespace(self) -> str | None:
        """The namespace of jobs and lists; None: the one that the server chooses for the token."""
        return self.connection.namespace

    def client(
        self, *, patient: bool = False, timeout_seconds: float = 15, retry_seconds: float | None = None
    ) -> JobClient:
        """Make a client of the API; it is closed when the command ends.

        Args:
            patient: whether to wait for two minutes, and not for three seconds, when the server does not answer.
            timeout_seconds: how long one request may take.
            retry_seconds: for how long to send requests again; None: as `patient` says.
        """
        from bgjobs.client.job_client import JobClient  # noqa: PLC0415 - `--help` does not pay for HTTP and models

        wanted = _PATIENT_SECONDS if patient else _RETRY_SECONDS
        connection = self.connection
        client = JobClient(
            connection.url,
            connection.token,
            namespace=connection.namespace,
            timeout_seconds=timeout_seconds,
            retry_seconds=wanted if retry_seconds is None else retry_seconds,
            call_seconds=find_call_seconds(None, self.world.environ),
            transport=connection.transport,
            sleep=self.world.sleep,
            environ={},
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
            # Nobody asked for kubectl: it was tried because no other server was named.
            raise NoServerError(f"{discovery.NO_SERVER} ({error})") from error
        assert found is not None  # noqa: S101 - it was chosen
        _end_in_order(self.world.ending)
        transport = ClusterTransport(found.kubectl, found.service, found.namespace)
        self.world.ending.callback(transport.end)
        return Connection(transport.url, transport.token, found.namespace, transport)


def _end_in_order(ending: ExitStack) -> None:
    """Let SIGTERM and SIGHUP end the command as Ctrl-C does: with kubectl's process ended too."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        ending.callback(signal.signal, number, signal.signal(number, _exit))


def _exit(number: int, _: FrameType | None) -> Any:
    raise SystemExit(128 + number)
