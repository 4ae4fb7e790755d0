"""The only place that runs kubectl, which has its own kubeconfig, contexts and ways to log in.

kubectl tells errors in sentences only. What the command needs of them is read here, and put into the fields of errors.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections import deque
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bgjobs.cli.exits import NoServerError
from bgjobs.errors import ForbiddenError
from bgjobs.protocol import AUDIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROLE: Final = "bgjobs-command"  # the Role to find and reach the API, which the chart makes in its own namespace
ACCOUNT: Final = "bgjobs-cli"  # the ServiceAccount that the chart makes in each namespace of jobs
TOKEN_ROLE: Final = "bgjobs-cli-token"  # noqa: S105 - a Role that an administrator makes as `doctor` says
PARTS: Final = "app.kubernetes.io/name=bgjobs"
SELECTOR: Final = f"{PARTS},app.kubernetes.io/component=api"
USUAL_NAMESPACE: Final = "bgjobs"  # where the README installs the chart
# Long, because kubectl may first log the user in with a browser.
_COMMAND_SECONDS: Final = 60
_FORWARD_SECONDS: Final = 30
_END_SECONDS: Final = 5
_FORWARDING: Final = re.compile(r"^Forwarding from 127\.0\.0\.1:(\d+) -> ")
_REFUSED: Final = re.compile(r"\((Forbidden|Unauthorized)\)| is forbidden: |must be logged in")
_USER: Final = re.compile(r'User "([^"]+)" cannot ')
_NO_ACCOUNT: Final = re.compile(r'(serviceaccounts|namespaces) ".*" not found')


class KubectlError(NoServerError):
    """kubectl could not do what it was asked for. The message has what kubectl has printed."""


class KubectlForbiddenError(ForbiddenError):
    """The cluster does not allow it to the user of kubectl's context. The message has what kubectl has printed."""


class Service(NamedTuple):
    """The Service of an API of bgjobs, by its namespace and name."""

    namespace: str
    name: str


def find_kubectl(environ: Mapping[str, str]) -> str | None:
    """The path of kubectl; None if it is not on PATH."""
    return shutil.which("kubectl", path=environ.get("PATH"))


def _is_ours(item: dict[str, Any]) -> bool:
    """Whether a Service with our labels leads to the API's pods of a release, as that of the chart does."""
    labels: dict[str, str] = item["metadata"].get("labels") or {}
    spec: dict[str, Any] = item.get("spec") or {}
    release = labels.get("app.kubernetes.io/instance", "")
    selector = {
        "app.kubernetes.io/name": "bgjobs", "app.kubernetes.io/instance": release,
        "app.kubernetes.io/component": "api",
    }  # fmt: skip
    return release != "" and spec.get("selector") == selector


def _binding_to_reach(user: str) -> str:
    """The command by which an administrator lets this user find and reach the API."""
    words = "create", "rolebinding", ROLE, f"--role={ROLE}", f"--user={user}"
    return shlex.join(("kubectl", "-n", USUAL_NAMESPACE, *words))


class Kubectl:
    """Runs kubectl with one context.

    Args:
        program: the path of kubectl.
        context: the context of its kubeconfig; None: the current one.
        environ: the environment for kubectl.
    """

    def __init__(self, program: str, context: str | None, environ: Mapping[str, str]) -> None:
        self._command = [program, *([] if context is None else ["--context", context])]
        self._environ = dict(environ)

    def namespace(self) -> str:
        """The namespace of the context; `default` if the context names none, as with `kubectl get`."""
        contexts: list[dict[str, Any]] = self._json("config", "view", "--minify").get("contexts") or []
        context: dict[str, Any] = (contexts[0].get("context") or {}) if contexts else {}
        return str(context.get("namespace") or "default")

    def service(self, namespace: str) -> Service:
        """Find the Service of bgjobs' API.

        It is looked for in all namespaces. If the user may not list those, it is looked for in the namespace of the
        jobs and in `bgjobs`. It is one whose selector is that of the chart; of several the one in `bgjobs` is taken.

        Raises:
            KubectlError: if there is none, or more than one.
            KubectlForbiddenError: if the user may not list Services in any of these namespaces.
        """
        try:
            found = self._services("-A")
        except KubectlForbiddenError:
            found = self._services_of(tuple(dict.fromkeys((namespace, USUAL_NAMESPACE))))
        if not found:
            raise KubectlError(
                "the cluster of kubectl's context has no bgjobs: install its chart, choose a cluster by --context, "
                "or name a server by --url"
            )
        # Whoever may make a Service somewhere can give it our labels; the usual namespace is an administrator's.
        found = [one for one in found if one.namespace == USUAL_NAMESPACE] or found
        if len(found) > 1:
            names = ", ".join(f"{one.namespace}/{one.name}" for one in found)
            raise KubectlError(
                f"the cluster has several bgjobs, by these Services: {names}; run `kubectl port-forward` for the one "
                "that you trust, and give --url and BGJOBS_TOKEN"
            )
        return found[0]

    def installation(self, namespace: str) -> list[dict[str, Any]]:
        """The Deployments, StatefulSets and pods of the installation in this namespace, as JSON objects.

        Raises:
            KubectlError: if there is no answer.
            KubectlForbiddenError: if the user may not list them.
        """
        kinds = "deployments.apps,statefulsets.apps,pods"
        return self._json("get", kinds, "-n", namespace, "-l", PARTS).get("items") or []

    def token(self, namespace: str) -> str:
        """Create a token for the API, which is good for an hour and belongs to `bgjobs-cli` of this namespace.

        Raises:
            KubectlError: if the namespace has no such ServiceAccount.
            KubectlForbiddenError: if the user may not create tokens there.
        """
        try:
            return self._run(
                "create", "token", ACCOUNT, "-n", namespace, "--audience", AUDIENCE, "--duration", "1h",
                remedy=lambda user: _binding_to_get_tokens(user, namespace), namespace=namespace,
            ).strip()  # fmt: skip
        except KubectlError as error:
            if _NO_ACCOUNT.search(str(error)):
                raise KubectlError(
                    f"namespace {namespace} has no ServiceAccount {ACCOUNT}: give a namespace of jobs by -n, or add it "
                    "to jobNamespaces of the chart"
                ) from error
            raise

    def forward(self, service: Service, local_port: int = 0) -> Forward:
        """Make a Service reachable at a port of this machine; port 0 is any that is free.

        Raises:
            KubectlError: if kubectl ends, or prints nothing, before the port is open.
            KubectlForbiddenError: if the user may not forward ports there.
        """
        return Forward(
            [
                *self._command, "port-forward", "-n", service.namespace, f"service/{service.name}",
                f"{local_port or ''}:80", "--address", "127.0.0.1", "--pod-running-timeout", "10s",
            ],
            self._environ,
        )  # fmt: skip

    def _services_of(self, namespaces: tuple[str, ...]) -> list[Service]:
        found: list[Service] = []
        forbidden: KubectlForbiddenError | None = None
        for namespace in namespaces:
            try:
                found.extend(self._services("-n", namespace))
            except KubectlForbiddenError as error:
                forbidden = error
        if not found and forbidden is not None:
            raise forbidden
        return found

    def _services(self, *where: str) -> list[Service]:
        items: list[dict[str, Any]] = self._json("get", "service", *where, "-l", SELECTOR).get("items") or []
        return [Service(item["metadata"]["namespace"], item["metadata"]["name"]) for item in items if _is_ours(item)]

    def _json(self, *arguments: str) -> dict[str, Any]:
        text = self._run(*arguments, "-o", "json")
        try:
            return json.loads(text)
        except ValueError as error:
            raise KubectlError(f"kubectl {arguments[0]} did not answer in JSON") from error

    def _run(self, *arguments: str, remedy: Callable[[str], str] = _binding_to_reach, namespace: str = "") -> str:
        try:
            done = subprocess.run(  # noqa: S603 - found on PATH, as in a shell
                [*self._command, *arguments],
                env=self._environ,
                # Standard input may have the parameters of a job, which kubectl must not read.
                stdin=subprocess.DEVNULL,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_COMMAND_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise KubectlError(f"kubectl {arguments[0]} did not end within {_COMMAND_SECONDS} s") from error
        except OSError as error:
            raise KubectlError(f"kubectl cannot be run: {error}") from error
        if done.returncode:
            raise _failure(arguments[0], done.stderr or done.stdout, remedy, namespace)
        return done.stdout


class Forward:
    """A running `kubectl port-forward`. Call `end` when it is not needed any more.

    Attributes:
        port: the port of this machine.
    """

    def __init__(self, command: list[str], environ: Mapping[str, str]) -> None:
        try:
            self._process = subprocess.Popen(  # noqa: S603 - found on PATH, as in a shell
                command,
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise KubectlError(f"kubectl cannot be run: {error}") from error
        self._said: deque[str] = deque(maxlen=3)
        self._ports: SimpleQueue[int | None] = SimpleQueue()
        # kubectl prints lines as long as it forwards, and would stop if nobody read them from its pipe.
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            port = self._ports.get(timeout=_FORWARD_SECONDS)
        except Empty:
            self.end()
            raise KubectlError(f"kubectl port-forward opened no port within {_FORWARD_SECONDS} s") from None
        except BaseException:
            self.end()
            raise
        if port is None:
            self.end()
            raise _failure("port-forward", "\n".join(self._said))
        self.port = port

    @property
    def alive(self) -> bool:
        """Whether it is still running; it ends when the pod at the other end does."""
        return self._process.poll() is None

    def end(self) -> None:
        """End kubectl; calling this twice is allowed."""
        if self.alive:
            self._process.terminate()
            try:
                self._process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._reader.join(_END_SECONDS)
        if self._process.stdout is not None and not self._reader.is_alive():
            self._process.stdout.close()

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._said.append(line.strip())
            if match := _FORWARDING.match(line):
                self._ports.put(int(match[1]))
        self._ports.put(None)


def _binding_to_get_tokens(user: str, namespace: str) -> str:
    """The commands by which an administrator lets this user get tokens of `bgjobs-cli` in this namespace.

    The role `edit` of Kubernetes allows it too, and far more besides.
    """
    # A RoleBinding cannot have a name with characters that no path can hold.
    name = re.sub("[/%]", "-", f"{TOKEN_ROLE}:{user}")
    role = shlex.join((
        "kubectl", "create", "role", TOKEN_ROLE, "--verb=create", "--resource=serviceaccounts/token",
        f"--resource-name={ACCOUNT}", "--namespace", namespace,
    ))  # fmt: skip
    binding = shlex.join((
        "kubectl", "create", "rolebinding", name, f"--role={TOKEN_ROLE}", "--user", user, "--namespace", namespace,
    ))  # fmt: skip
    return f"{role} && {binding}"


def _failure(
    what: str, said: str, remedy: Callable[[str], str] = _binding_to_reach, namespace: str = ""
) -> KubectlError | KubectlForbiddenError:
    """The error for what kubectl has said before it ended.

    kubectl has nothing but sentences for that. They are looked into here and nowhere else.

    Args:
        what: the command of kubectl, for example `get`.
        said: what it has printed.
        remedy: makes the command that allows it to a user of this name.
        namespace: where it was tried; "" if that does not matter.
    """
    words = " ".join(said.split()) or "it said nothing"
    message = f"kubectl {what}: {words}"
    if not _REFUSED.search(words):
        return KubectlError(message)
    user = _USER.search(words)
    if user is None:
        return KubectlForbiddenError(message, 403)
    return KubectlForbiddenError(message, 403, user=user[1], namespace=namespace, remedy=remedy(user[1]))
