"""`bgjobs doctor` on an installation that something is wrong with: it says what, and the line that mends it is run.

Each test breaks one thing for real, reads what the command prints, and leaves everything as it was. What the tests
print is the report as a person has it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

import installation
from installation import RELEASE, SHOP, SYSTEM, kubectl, wait_until
from tests.cluster import terminal
from tests.cluster.cluster_view import ended

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from bgjobs import JobClient

REDIS: Final = ("exec", "-n", SYSTEM, f"statefulset/{RELEASE}-redis", "--", "redis-cli", "config", "set")
OPERATOR: Final = f"{RELEASE}-operator"
# Nobody listens there, on an address that pods reach at once.
NO_ISSUER: Final = "http://127.0.0.1:9"
AHEAD: Final = (
    "import time; true = time.time; time.time = lambda: true() + 600; from bgjobs.cli.__main__ import main; main()"
)


class Line(NamedTuple):
    """One finding, with the line below it."""

    level: str
    what: str
    remedy: str


class Doctor:
    """Calls the command as a person does."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self._said = ""

    def lines(self, *words: str) -> list[Line]:
        """The report; what is printed of it is remembered, see `show`."""
        command = words or ("bgjobs", "doctor", "-n", SHOP)
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=180, cwd="/"
        )
        self._said = done.stdout
        found: list[Line] = []
        for line in done.stdout.splitlines():
            if line.startswith(" "):
                found[-1] = found[-1]._replace(remedy=line.strip())
            else:
                level, _, what = line.partition(" ")
                found.append(Line(level, what.strip(), ""))
        assert done.returncode == any(line.level == "FAIL" for line in found), done.stdout + done.stderr
        return found

    def wrong(self) -> list[Line]:
        """All that is not well."""
        return [line for line in self.lines() if line.level != "ok"]

    def until_it_says(self, words: str, seconds: float = 120) -> Line:
        """Call it until a finding has these words."""
        found: list[Line] = []

        def said() -> bool:
            found[:] = [line for line in self.lines() if words in line.what]
            return bool(found)

        wait_until(f"doctor says {words!r}", said, seconds)
        return found[0]

    def until_content(self, seconds: float = 180) -> None:
        """Call it until nothing is wrong."""
        left: list[Line] = []

        def content() -> bool:
            left[:] = self.wrong()
            return not left

        try:
            wait_until("doctor is content", content, seconds)
        except TimeoutError:
            pytest.fail(f"doctor is not content: {left}")

    def show(self, title: str) -> None:
        """What it printed last."""
        print(f"\n--- bgjobs doctor: {title}\n{self._said}", end="")

    def run(self, remedy: str) -> None:
        """What it has printed is typed, as it stands."""
        done = subprocess.run(
            ["sh", "-c", remedy], env=self.environment, capture_output=True, text=True, check=False, timeout=180
        )
        assert done.returncode == 0, f"{remedy}\n{done.stderr}"


@pytest.fixture
def doctor(address: str, tmp_path: Path) -> Doctor:
    """Everything is well at first."""
    assert address
    made = Doctor(terminal.environment(tmp_path))
    made.until_content()
    return made


def test_nothing_is_wrong(doctor: Doctor) -> None:
    found = doctor.lines()
    doctor.show("nothing is wrong")
    assert {line.level for line in found} == {"ok"}
    said = [line.what for line in found]
    assert re.search(
        r"^its pods are ready: api 1, (oauth2-proxy 2, )?operator 1, redis 1$", "\n".join(said), re.MULTILINE
    )
    assert f"the caller is known, and may list jobs and ask for them in {SHOP}" in said


def test_a_redis_that_evicts_and_one_that_loses_a_second(doctor: Doctor) -> None:
    try:
        kubectl(*REDIS, "maxmemory-policy", "allkeys-lru")
        kubectl(*REDIS, "appendfsync", "everysec")
        fsync, evicts = doctor.wrong()
        doctor.show("Redis evicts, and has everysec")
        assert (fsync.level, evicts.level) == ("warn", "FAIL")
        assert "appendfsync everysec: acknowledged jobs can be lost" in fsync.what
        assert "maxmemory-policy allkeys-lru: it drops jobs when it is full" in evicts.what
        for line in (fsync, evicts):
            doctor.run(line.remedy)
        assert doctor.wrong() == []
    finally:
        kubectl(*REDIS, "maxmemory-policy", "noeviction")
        kubectl(*REDIS, "appendfsync", "always")


@pytest.mark.parametrize(
    "spec",
    [{"approvedClasses": []}, {"images": ["bgjobs/example-shop:*"]}],
    ids=["as the chart makes one for a new namespace", "that lets jobs choose among some"],
)
def test_a_queue_without_an_image(doctor: Doctor, spec: dict[str, list[str]]) -> None:
    try:
        kubectl("apply", "-f", "-", stdin=installation.queue("bare", 1, image=None, **spec))
        line = doctor.until_it_says(f"queue {SHOP}/bare has no image")
        doctor.show("a queue without an image")
        assert line.level == "warn"
        doctor.run(line.remedy)
        doctor.until_content()
    finally:
        kubectl("delete", "backgroundjobqueue", "bare", "-n", SHOP, "--ignore-not-found")


def test_a_caller_without_rights(doctor: Doctor, address: str) -> None:
    try:
        kubectl("create", "serviceaccount", "newcomer", "-n", SHOP)
        token = installation.token("newcomer")
        theirs = Doctor({**doctor.environment, "BGJOBS_URL": address, "BGJOBS_TOKEN": token})
        (line,) = theirs.wrong()
        theirs.show("a caller without rights")
        who = f"system:serviceaccount:{SHOP}:newcomer"
        assert (line.level, line.what) == ("FAIL", f"{who} may not list jobs, ask for jobs, list queues in {SHOP}")
        doctor.run(line.remedy)
        theirs.until_content()
    finally:
        kubectl("delete", "rolebinding", "bgjobs-submitter:shop:newcomer", "-n", SHOP, "--ignore-not-found")
        kubectl("delete", "serviceaccount", "newcomer", "-n", SHOP)


@contextmanager
def without(kind: str, name: str, *where: str) -> Generator[None]:
    """This object is not there; afterwards it is as it was."""
    found = json.loads(kubectl("get", kind, name, *where, "-o", "json"))
    for field in ("resourceVersion", "uid", "creationTimestamp", "managedFields"):
        found["metadata"].pop(field, None)
    kubectl("delete", kind, name, *where)
    try:
        yield
    finally:
        kubectl(
            "apply", "--server-side", "--field-manager=helm", "--force-conflicts", "-f", "-", stdin=json.dumps(found)
        )


def test_an_operator_without_its_rolebinding(doctor: Doctor, client: JobClient) -> None:
    with without("rolebinding", OPERATOR, "-n", SHOP):
        refused = client.enqueue("shop.jobs.Invoices", "render", [2026, 11])  # the first thing that is forbidden
        line = doctor.until_it_says(f"none of its permissions in namespace {SHOP}")
        doctor.show("the operator's RoleBinding is gone")
        assert line.level == "FAIL"
        doctor.run(line.remedy)
        doctor.until_content()
        assert ended(client, client.enqueue("shop.jobs.Invoices", "render", [2026, 11]).id).state == "succeeded"
        assert refused.wait(timeout=90).state == "succeeded", "half a minute after it was refused it is tried again"


def test_an_api_without_its_clusterrolebinding(doctor: Doctor, address: str) -> None:
    with without("clusterrolebinding", f"{RELEASE}-api"):
        line = doctor.until_it_says("the API has none of its permissions")  # its own question was the refused one
        doctor.show("the API's ClusterRoleBinding is gone")
        assert line.level == "FAIL"
        doctor.run(line.remedy)
        doctor.until_content()


def test_no_operator(doctor: Doctor) -> None:
    try:
        kubectl("scale", "deployment", OPERATOR, "-n", SYSTEM, "--replicas=0")
        silent = doctor.until_it_says("no operator has reported", seconds=90)
        scaled = doctor.until_it_says("is scaled to 0")
        doctor.show("the operator is scaled to 0")
        assert (silent.level, scaled.level) == ("FAIL", "FAIL")
        doctor.run(scaled.remedy)
        doctor.until_content()
    finally:
        kubectl("scale", "deployment", OPERATOR, "-n", SYSTEM, "--replicas=1")


def test_a_clock_that_is_ten_minutes_ahead(doctor: Doctor) -> None:
    found = [line for line in doctor.lines(sys.executable, "-c", AHEAD, "doctor", "-n", SHOP) if line.level != "ok"]
    doctor.show("this machine's clock is ten minutes ahead")
    (line,) = found
    assert line.level == "warn"
    assert re.fullmatch(r"this machine's clock is (59[5-9]|60[0-5]) s ahead of the server's", line.what)
    assert "timedatectl set-ntp true" in line.remedy


def test_an_issuer_that_cannot_be_reached(doctor: Doctor) -> None:
    values = {
        "dashboard.auth": "oidc",
        "dashboard.host": "jobs.example",
        "dashboard.oidc.issuerUrl": NO_ISSUER,
        "dashboard.oidc.allowHttp": "true",
        "dashboard.oidc.clientId": "bgjobs",
        "dashboard.oidc.clientSecret": "not-used",
        "dashboard.proxy.replicas": "1",
    }
    chart = installation.ROOT / "charts/bgjobs"
    try:
        # Without waiting for all: the proxy in front of the pages never comes up.
        installation.dev(
            "helm", "upgrade", RELEASE, str(chart), "-n", SYSTEM, "--reuse-values",
            *(word for name, value in values.items() for word in ("--set", f"{name}={value}")),
        )  # fmt: skip
        kubectl("rollout", "status", f"deployment/{RELEASE}-api", "-n", SYSTEM, "--timeout=180s")
        line = doctor.until_it_says("the identity provider cannot be asked for its keys")
        doctor.show("an issuer that cannot be reached")
        assert line.level == "warn"
        assert f"{NO_ISSUER}/.well-known/openid-configuration must answer" in line.remedy
    finally:
        installation.upgrade()
    doctor.until_content()
