"""The door to kubectl, the way that it opens, and that it is closed again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx2
import pytest

from bgjobs.cli.reaching.cluster import TOKEN_MAX_AGE_SECONDS, ClusterTransport
from bgjobs.cli.reaching.kubectl import Kubectl, KubectlError, KubectlForbiddenError, Service, find_kubectl
from tests.unit.cli.fake_kubectl import FakeKubectl, HttpApi
from tests.unit.cli.fakes import JOB_ID, URL, job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.unit.cli.fakes import FakeApi, Terminal

FORBIDDEN = 'Error from server (Forbidden): services is forbidden: User "ann" cannot list resource "services"'


@pytest.fixture
def fake(tmp_path: Path) -> FakeKubectl:
    folder = tmp_path / "bin"
    folder.mkdir()
    return FakeKubectl(folder)


@pytest.fixture
def http_api() -> Iterator[HttpApi]:
    def answer(path: str) -> object:
        return {"items": [job()]} if path.startswith("/api/v1/jobs?") else job(state="launched")

    made = HttpApi(answer)
    yield made
    made.stop()


@pytest.fixture
def reaching(tmp_path: Path, http_api: HttpApi) -> FakeKubectl:
    """A kubectl that forwards to the real server."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return FakeKubectl(folder, http_api.port)


def door(fake: FakeKubectl, context: str | None = None) -> Kubectl:
    return Kubectl(fake.program, context, fake.environ)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def kill(pid: int) -> None:
    """End a child for which somebody else waits."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def test_kubectl_is_looked_for_on_path(fake: FakeKubectl) -> None:
    assert find_kubectl(fake.environ) == fake.program
    assert find_kubectl({"PATH": "/nowhere"}) is None


def test_the_namespace_of_the_context(fake: FakeKubectl) -> None:
    assert door(fake, "kind").namespace() == "shop"
    assert fake.calls == ["--context kind config view --minify -o json"]

    fake.says("config", {"contexts": [{"context": {"cluster": "x"}}]})
    assert door(fake).namespace() == "default"
    fake.says("config", {"contexts": None})
    assert door(fake).namespace() == "default"


def test_the_service_is_found_by_its_labels(fake: FakeKubectl) -> None:
    assert door(fake).service("shop") == Service("bgjobs", "bgjobs-api")
    assert fake.calls == [
        "get service -A -l app.kubernetes.io/name=bgjobs,app.kubernetes.io/component=api -o json",
    ]


def test_who_may_not_list_all_services_looks_where_they_may(fake: FakeKubectl) -> None:
    fake.fails("-A", FORBIDDEN)
    fake.services("bgjobs/other-api", file="services-of-one")
    with pytest.raises(KubectlError, match="several bgjobs"):
        door(fake).service("shop")
    assert [call.split()[3] for call in fake.calls if "-n" in call] == ["shop", "bgjobs"]

    assert door(fake).service("bgjobs") == Service("bgjobs", "other-api")

    fake.fails("-n", FORBIDDEN)
    with pytest.raises(KubectlForbiddenError, match="cannot list") as caught:
        door(fake).service("shop")
    assert caught.value.user == "ann"
    assert caught.value.remedy == "kubectl -n bgjobs create rolebinding bgjobs-command --role=bgjobs-command --user=ann"
    assert str(caught.value).endswith(f"; an administrator can allow it with `{caught.value.remedy}`")


def test_no_service_and_several(fake: FakeKubectl) -> None:
    fake.services()
    with pytest.raises(KubectlError, match="has no bgjobs: install its chart"):
        door(fake).service("shop")

    fake.services("a/bgjobs-api", "b/bgjobs-api")
    with pytest.raises(KubectlError, match="several bgjobs, by these Services: a/bgjobs-api, b/bgjobs-api; run"):
        door(fake).service("shop")


def test_a_service_that_somebody_gave_our_labels_is_not_taken(fake: FakeKubectl) -> None:
    fake.services("shop/a-trap!", "tools/bgjobs-api", "mail/another-trap!")
    assert door(fake).service("shop") == Service("tools", "bgjobs-api")

    fake.services("shop/a-trap!")
    with pytest.raises(KubectlError, match="has no bgjobs: install its chart"):
        door(fake).service("shop")


def test_of_several_the_one_in_the_usual_namespace_is_taken(fake: FakeKubectl) -> None:
    """Whoever owns another namespace can make a Service that looks like ours in all."""
    fake.services("shop/bgjobs-api", "bgjobs/bgjobs-api", "mail/bgjobs-api")
    assert door(fake).service("shop") == Service("bgjobs", "bgjobs-api")


def test_a_token(fake: FakeKubectl) -> None:
    assert door(fake).token("shop") == "token 1"
    assert fake.calls == ["create token bgjobs-cli -n shop --audience bgjobs --duration 1h"]

    fake.fails("token", 'error: failed to create token: serviceaccounts "bgjobs-cli" not found')
    with pytest.raises(KubectlError, match="namespace shop has no ServiceAccount bgjobs-cli"):
        door(fake).token("shop")


def test_who_may_not_get_a_token_is_told_what_allows_it(fake: FakeKubectl) -> None:
    fake.fails(
        "token",
        'error: failed to create token: serviceaccounts "bgjobs-cli" is forbidden: User "ann" cannot create resource '
        '"serviceaccounts/token" in API group "" in the namespace "shop"',
    )

    with pytest.raises(KubectlForbiddenError) as caught:
        door(fake).token("shop")

    assert (caught.value.user, caught.value.namespace) == ("ann", "shop")
    assert caught.value.remedy == (
        "kubectl create role bgjobs-cli-token --verb=create --resource=serviceaccounts/token "
        "--resource-name=bgjobs-cli --namespace shop && "
        "kubectl create rolebinding bgjobs-cli-token:ann --role=bgjobs-cli-token --user ann --namespace shop"
    )


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Unable to connect to the server: refused", KubectlError),
        (
            'error: failed to create token: serviceaccounts "bgjobs-cli" is forbidden: User "ann" cannot create it',
            KubectlForbiddenError,
        ),
        ("error: You must be logged in to the server (Unauthorized)", KubectlForbiddenError),
        ("", KubectlError),
    ],
)
def test_a_failure_has_kubectls_words(fake: FakeKubectl, said: str, kind: type[Exception]) -> None:
    fake.fails("config", said)

    with pytest.raises(kind, match=re.escape(f"kubectl config: {said or 'it said nothing'}")):
        door(fake).namespace()


def test_what_is_no_kubectl(fake: FakeKubectl) -> None:
    with pytest.raises(KubectlError, match="cannot be run"):
        Kubectl("/no/such/kubectl", None, {}).namespace()
    with pytest.raises(KubectlError, match="cannot be run"):
        Kubectl("/no/such/kubectl", None, {}).forward(Service("a", "b"))
    (fake.folder / "config").write_text("{")
    with pytest.raises(KubectlError, match="did not answer in JSON"):
        door(fake).namespace()


def test_a_forwarded_port_is_closed_again(fake: FakeKubectl) -> None:
    forward = door(fake).forward(Service("bgjobs", "bgjobs-api"))

    assert (forward.port, forward.alive) == (1, True)
    assert fake.calls == ["port-forward -n bgjobs service/bgjobs-api :80 --address 127.0.0.1 --pod-running-timeout 10s"]
    forward.end()
    assert not forward.alive
    assert is_gone(fake.pid)
    forward.end()


def test_a_port_that_is_not_forwarded(fake: FakeKubectl) -> None:
    fake.fails("port-forward", "error: unable to forward port because pod is not running")

    with pytest.raises(KubectlError, match="kubectl port-forward: error: unable to forward port"):
        door(fake).forward(Service("bgjobs", "bgjobs-api"))


def test_a_way_that_closes_is_opened_again_on_its_port(reaching: FakeKubectl, http_api: HttpApi) -> None:
    now = [0.0]
    transport = ClusterTransport(door(reaching), Service("bgjobs", "api"), "shop", clock=lambda: now[0])
    try:
        with httpx2.Client(transport=transport, base_url=transport.url) as client:
            client.get("/a")
            kill(reaching.pid)
            client.get("/b")
            assert reaching.calls[-1].split()[4] == f"{http_api.port}:80"
            now[0] = TOKEN_MAX_AGE_SECONDS + 1
            client.get("/c")
    finally:
        transport.end()

    assert http_api.requests[0] == ("/a", "Bearer token 1")
    assert http_api.requests[-1] == ("/c", "Bearer token 2")
    assert is_gone(reaching.pid)


def test_a_way_that_stays_closed_may_be_tried_again(reaching: FakeKubectl) -> None:
    transport = ClusterTransport(door(reaching), Service("bgjobs", "api"), "shop")
    kill(reaching.pid)
    reaching.fails("port-forward", "error: no pod")
    with httpx2.Client(transport=transport) as client, pytest.raises(httpx2.ConnectError, match="no pod"):
        client.get(transport.url)
    transport.end()


def test_kubectl_bgjobs(terminal: Terminal, reaching: FakeKubectl, http_api: HttpApi) -> None:
    terminal.environ = reaching.environ | {"BGJOBS_URL": URL, "BGJOBS_TOKEN": "not for this"}

    ran = terminal.run("list", "--context", "kind", "-o", "name", kubectl_only=True)

    assert (ran.code, ran.text) == (0, f"{JOB_ID}\n")
    assert http_api.requests == [("/api/v1/jobs?namespace=shop&limit=50", "Bearer token 1")]
    assert all(call.startswith("--context kind ") for call in reaching.calls)
    assert is_gone(reaching.pid)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_the_current_context_is_the_last_way(terminal: Terminal, reaching: FakeKubectl) -> None:
    terminal.environ = reaching.environ
    dead = terminal.folder / ".bgjobs/server.json"
    dead.parent.mkdir()
    dead.write_text('{"url": "http://127.0.0.1:8700", "pid": 99999999, "namespace": "x"}')
    dead.chmod(0o600)

    ran = terminal.run("-n", "team", "token")

    assert (ran.code, ran.text) == (0, "token 1\n")
    assert "is ignored, because its server (process 99999999) is not running any more" in ran.err
    assert "create token bgjobs-cli -n team --audience bgjobs --duration 1h" in reaching.calls


def test_the_errors_of_the_last_way_name_all_ways(terminal: Terminal, fake: FakeKubectl) -> None:
    terminal.environ = fake.environ
    fake.fails("config", "error: current-context must exist")

    ran = terminal.run("list")
    assert ran.code == 6
    assert "`bgjobs dev`, or name one by BGJOBS_URL or --url" in ran.err
    assert "current-context must exist" in ran.err

    ran = terminal.run("list", kubectl_only=True)
    assert (ran.code, ran.err) == (6, "bgjobs: kubectl config: error: current-context must exist\n")


def test_what_the_cluster_does_not_allow(terminal: Terminal, fake: FakeKubectl) -> None:
    terminal.environ = fake.environ
    fake.fails("port-forward", "error: pods is forbidden (Forbidden)")

    assert terminal.run("list").code == 4


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_the_forwarding_too(
    reaching: FakeKubectl, http_api: HttpApi, tmp_path: Path, number: int, code: int
) -> None:
    command = subprocess.Popen(
        [sys.executable, "-m", "bgjobs.cli", "wait", JOB_ID],
        env=reaching.environ,
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert http_api.asked.wait(30)
    command.send_signal(number)
    _, said = command.communicate(timeout=30)

    assert command.returncode == code
    assert "Traceback" not in said
    assert is_gone(reaching.pid)


def test_the_doctor_of_a_cluster_without_the_account(terminal: Terminal, reaching: FakeKubectl) -> None:
    terminal.environ = reaching.environ
    reaching.fails("token", 'error: failed to create token: serviceaccounts "bgjobs-cli" not found')

    ran = terminal.run("doctor")

    assert ran.code == 1
    lines = ran.text.splitlines()
    assert lines[1] == "ok    it answers"
    assert lines[-2] == "FAIL  there is no token"
    assert lines[-1].startswith("      namespace shop has no ServiceAccount bgjobs-cli")


def test_the_doctor_looks_at_the_pods(terminal: Terminal, fake: FakeKubectl) -> None:
    """Where the API has none, there is no way to it either, and that is why."""
    terminal.environ = fake.environ
    labels = {"app.kubernetes.io/component": "api"}
    deployment = {"kind": "Deployment", "metadata": {"name": "bgjobs-api", "namespace": "bgjobs", "labels": labels}}
    fake.says("installation", {"items": [deployment | {"spec": {"replicas": 0}}]})
    fake.fails("port-forward", "error: timed out waiting for the condition")

    ran = terminal.run("doctor", kubectl_only=True)

    assert ran.code == 1
    assert ran.text.splitlines() == [
        "FAIL  server: none",
        "      kubectl port-forward: error: timed out waiting for the condition",
        "FAIL  deployment bgjobs-api is scaled to 0",
        "      kubectl scale deployment bgjobs-api -n bgjobs --replicas=1",
    ]
    assert (
        "get deployments.apps,statefulsets.apps,pods -n bgjobs -l app.kubernetes.io/name=bgjobs -o json" in fake.calls
    )


def test_whoever_may_not_look_at_pods_is_not_told_of_them(terminal: Terminal, reaching: FakeKubectl) -> None:
    terminal.environ = reaching.environ
    reaching.fails("deployments.apps,statefulsets.apps,pods", FORBIDDEN)

    assert "pods" not in terminal.run("doctor").text


def test_an_api_is_not_asked_twice_for_a_way(terminal: Terminal, fake: FakeKubectl, api: FakeApi) -> None:
    """What `--url` names is not kubectl's matter."""
    terminal.environ = fake.environ
    api.on("GET", "/api/v1/jobs", {"items": []})

    assert terminal.run("list", "--url", URL).code == 0
    assert fake.calls == []
