"""Attempts to get in with bytes that no client library sends, against real servers on real ports.

The servers, the sockets and the parser are those of the process; what is sent has `{id}`, `{person}` and `{program}`
replaced by a running job, a good ID token and a good ServiceAccount token.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from bgjobs_api import front_door
from bgjobs_api.http import listening
from bgjobs_api.http.patient_h11 import PatientH11
from bgjobs_api.http.request_parser import PARSER
from tests.api.doors import open_doors, web_token

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fastapi import FastAPI

    from tests.api.doors import Doors

PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Live:
    """The doors, and the ports that they are on."""

    doors: Doors
    ports: dict[str, int]

    async def send(self, door: str, text: str) -> bytes:
        """All that is answered until the server closes the connection."""
        filled = text.replace("{id}", self.doors.job_id)
        filled = filled.replace("{person}", self.doors.id_token()).replace("{program}", web_token())
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports[door])
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                writer.write(filled.encode("latin-1"))
                with contextlib.suppress(ConnectionError):
                    await writer.drain()
                    return await reader.read()
                return b""
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def statuses(answer: bytes) -> list[int]:
    """Of all answers in it."""
    return [int(found) for found in re.findall(rb"^HTTP/1\.1 (\d{3}) ", answer, re.MULTILINE)]


@contextlib.asynccontextmanager
async def serving(apps: dict[str, FastAPI]) -> AsyncGenerator[dict[str, int]]:
    """Servers as the process has them, on ports of the machine's choice."""
    made = {name: (listening.make_server(app, 1), listening.listen("127.0.0.1", 0)) for name, app in apps.items()}
    ports = {name: int(listening.getsockname()[1]) for name, (_, listening) in made.items()}
    tasks = [asyncio.create_task(one.serve([listening])) for one, listening in made.values()]
    try:
        yield ports
    finally:
        for one, _ in made.values():
            one.should_exit = True
        await asyncio.gather(*tasks)


def get(path: str, *headers: str, method: str = "GET") -> str:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: bgjobs.example", "Connection: close", *headers, "", ""])


def post(path: str, *headers: str) -> str:
    return get(path, *headers, "Content-Length: 0", method="POST")


PERSON = "Authorization: Bearer {person}"
PROGRAM = "Authorization: Bearer {program}"
CANCEL = "/api/v1/jobs/{id}/cancel"
FINISH = "/runner/v1/jobs/{id}/finish"
SMUGGLED = post(CANCEL, "X-Forwarded-User: ada@example.com")

# name: (door, what is sent, the statuses that are answered)
ATTEMPTS: dict[str, tuple[str, str, list[int]]] = {
    # to the runners' endpoints, where people are
    **{
        f"people: {path}": (
            "people",
            post(path, PERSON, "X-Bgjobs-Protocol: 1"),
            [405 if path.startswith("/static/") else 404],
        )
        for path in (
            FINISH,
            f"/{FINISH}",
            f"/api/v1/..{FINISH}",
            f"/api/v1/../..{FINISH}",
            f"/api/v1/%2e%2e/%2e%2e{FINISH}",
            f"/api/v1/..%2f..{FINISH.replace('/', '%2f')}",
            FINISH.replace("/", "%2f"),
            FINISH.replace("/runner", "/RUNNER"),
            f"{FINISH}/",
            f"{FINISH}%00",
            f"{FINISH}?x=1",
            f"/static/x/../..{FINISH}",
            f"http://bgjobs.example{FINISH}",
            f"\\..{FINISH}",
        )
    },
    # past the question who asks
    **{
        f"{door}: {path}": (door, get(path), [status])
        for door in ("people", "programs")
        for path, status in (
            ("/api/v1/jobs", 401),
            ("/api/v1/jobs/", 404),
            ("//api/v1/jobs", 404),
            ("/api//v1/jobs", 404),
            ("/API/v1/jobs", 404),
            ("/api/v1/jobs;x", 404),
            ("/api/v1/jobs.", 404),
            ("/api/v1/jobs.json", 404),
            ("/api/v1/jobs%20", 404),
            ("/api/v1/jobs%00", 404),
            ("/api/v1/jobs%2f{id}", 401),
            ("/api/v1/./jobs", 404),
            ("/healthz/../api/v1/jobs", 404),
            ("/healthz%2f..%2fapi%2fv1%2fjobs", 404),
            ("/healthz/api/v1/jobs", 404),
            ("/readyz?/api/v1/jobs/{id}", 200),
            ("/api/openapi.json/../v1/jobs", 404),
            ("http://healthz/api/v1/jobs", 404),
            ("*", 404),
        )
    },
    "page with a file's path": ("people", get("/static/../jobs/{id}"), [404]),
    "page with a file's path, encoded": ("people", get("/static/x/..%2f..%2fjobs%2f{id}"), [404]),
    "files outside": ("people", get("/static/x/../../../settings.py"), [404]),
    "files outside, encoded": ("people", get("/static/x/%2e%2e%2f%2e%2e%2fsettings.py"), [404]),
    "pages where programs are": ("programs", get("/jobs/{id}", PROGRAM), [404]),
    "document of the API where people are": ("people", get("/api/openapi.json", PERSON), [404]),
    # by another method
    "read that is a write": ("people", get(CANCEL, PERSON, "X-HTTP-Method-Override: POST"), [405]),
    "read that is a write, otherwise": ("people", get(f"{CANCEL}?_method=POST", PERSON, "X-Method: POST"), [405]),
    "write that is a read": (
        "people",
        post(CANCEL, PERSON, "Sec-Fetch-Site: cross-site", "X-HTTP-Method-Override: GET"),
        [403],
    ),
    "method in small letters": (
        "people",
        get(CANCEL, PERSON, "Sec-Fetch-Site: cross-site", "Content-Length: 0", method="post"),
        [403],
    ),
    "TRACE": ("people", get("/api/v1/jobs", PERSON, method="TRACE"), [405]),
    "CONNECT": ("people", get("bgjobs.example:443", method="CONNECT"), [404]),
    "PUT": ("people", get(CANCEL, PERSON, "Content-Length: 0", method="PUT"), [405]),
    # by headers that a proxy and we could read in two ways
    "underscores": ("people", post(CANCEL, "X_Forwarded_User: ada@example.com"), [401]),
    "underscores in Authorization": ("people", post(CANCEL, "HTTP_AUTHORIZATION: Bearer {person}"), [401]),
    "a space before the colon": ("people", post(CANCEL, "Authorization : Bearer {person}"), [400]),
    "a header folded": ("people", post(CANCEL, "Authorization: Bearer", " {person}", " x"), [401]),
    "a header name with NUL": ("people", post(CANCEL, "Authorization\0: Bearer {person}"), [400]),
    "a header value with NUL": ("people", post(CANCEL, "Authorization: Bearer {person}\0"), [400]),
    "a bare line end in a header": ("people", post(CANCEL, "X: y\rAuthorization: Bearer {person}"), [400]),
    "two Authorization, a good one first": ("people", post(CANCEL, PERSON, "Authorization: Bearer x"), [401]),
    "two Authorization, a good one last": ("people", post(CANCEL, "Authorization: Bearer x", PERSON), [401]),
    "two good ones, for programs": ("programs", post(CANCEL, PROGRAM, PROGRAM), [401]),
    "far too much header": ("people", post(CANCEL, f"Authorization: Bearer {'x' * 50_000}"), [401]),
    "ten thousand headers": ("people", post(CANCEL, *["X: y"] * 10_000), [401]),
    "a websocket": (
        "people",
        get("/api/v1/jobs", "Upgrade: websocket", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13"),
        [401],
    ),
    "HTTP/2 in clear": ("people", get("/api/v1/jobs", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"), [401]),
    # by Host
    "no Host": ("people", f"POST {CANCEL} HTTP/1.1\r\nContent-Length: 0\r\n\r\n", [400]),
    "two Hosts": ("people", post(CANCEL, "Host: localhost"), [400]),
    "Host of an origin": (
        "people",
        post(CANCEL, PERSON, "Origin: https://evil.example").replace("bgjobs.example", "evil.example.x"),
        [403],
    ),
    "Host with a path": (
        "people",
        post("/jobs/{id}/cancel").replace("bgjobs.example", "bgjobs.example/healthz?"),
        [401],
    ),
    "X-Forwarded-Host of an origin": (
        "people",
        post(CANCEL, PERSON, "Origin: https://evil.example", "X-Forwarded-Host: evil.example"),
        [403],
    ),
    "X-Original-URL": ("people", post("/healthz", f"X-Original-URL: {CANCEL}", f"X-Rewrite-URL: {CANCEL}"), [405]),
    # a second request inside the first
    "length and chunks": (
        "people",
        get(CANCEL, "Transfer-Encoding: chunked", f"Content-Length: {5 + len(SMUGGLED)}", method="POST")
        + "0\r\n\r\n"
        + SMUGGLED,
        [401],
    ),
    "length and chunks, kept open": (
        "people",
        post(CANCEL, "Transfer-Encoding: chunked").replace("Connection: close\r\n", "") + "0\r\n\r\n" + SMUGGLED,
        [401],
    ),
    "two lengths": ("people", post(CANCEL, "Content-Length: 4"), [400]),
    "a length with a sign": ("people", get(CANCEL, "Content-Length: +0", method="POST"), [400]),
    "an encoding that is none": ("people", post(CANCEL, "Transfer-Encoding: xchunked"), [400]),
    "an encoding with a tab": ("people", get(CANCEL, "Transfer-Encoding:\tchunked,x", method="POST"), [400]),
    "two equal lengths": ("people", post(CANCEL, "Content-Length: 0"), [401]),
    "an encoding before the chunks": ("people", get(CANCEL, "Transfer-Encoding: gzip, chunked", method="POST"), [400]),
    "another request behind the last one": ("people", post(CANCEL) + post(CANCEL, PERSON), [401]),
    "headers behind the body": (
        "people",
        get(CANCEL, "Transfer-Encoding: chunked", method="POST") + f"0\r\n{PERSON}\r\n\r\n",
        [401],
    ),
    "headers behind the body, for programs": (
        "programs",
        get(CANCEL, "Transfer-Encoding: chunked", method="POST") + f"0\r\n{PROGRAM}\r\n\r\n",
        [401],
    ),
    "a path with a fragment": ("people", get("/readyz#/../api/v1/jobs"), [404]),
    "HTTP/2.0": ("people", get("/api/v1/jobs").replace("HTTP/1.1", "HTTP/2.0") + "\r\n", [401]),
    "HTTP/1.0": ("people", f"POST {CANCEL} HTTP/1.0\r\nX-Remote-User: system:admin\r\n\r\n", [401]),
    "HTTP/0.9": ("people", "GET /api/v1/jobs\r\n\r\n", [400]),
    "TLS": ("people", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", [400]),
}

# httptools answers these with 400, before the application has seen them.
SOONER = {
    "people: %2frunner%2fv1%2fjobs%2f{id}%2ffinish",
    "people: \\../runner/v1/jobs/{id}/finish",
    "people: http://bgjobs.example/runner/v1/jobs/{id}/finish",
    "people: http://healthz/api/v1/jobs",
    "programs: http://healthz/api/v1/jobs",
    "method in small letters",
    "CONNECT",
    "a header folded",
    "length and chunks",
    "length and chunks, kept open",
    "two equal lengths",
    "a path with a fragment",
    "HTTP/2.0",
}


@pytest.fixture(params=[PatientH11, PARSER], ids=["h11", "the one of the process"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The process takes h11 where httptools has no wheel."""
    monkeypatch.setattr(listening, "PARSER", request.param)
    return "h11" if request.param is PatientH11 else "httptools"


async def test_each_is_refused(parser: str) -> None:
    found: dict[str, list[int]] = {}
    async with open_doors() as doors, serving({"people": doors.people_app, "programs": doors.programs_app}) as ports:
        live = Live(doors, ports)
        before = await doors.everything()
        for name, (door, sent, _) in ATTEMPTS.items():
            try:
                answer = await live.send(door, sent)
            except TimeoutError:
                answer = b"HTTP/1.1 999 nothing\r\n"
            found[name] = statuses(answer)
            assert b"shop.jobs" not in answer, name
            assert await doors.everything() == before, name
    expected = {name: wanted for name, (_, _, wanted) in ATTEMPTS.items()}
    if parser == "httptools":
        expected |= {name: [400] for name in SOONER}
    unexpected = {name: (found[name], wanted) for name, wanted in expected.items() if found[name] != wanted}
    assert not unexpected, str(unexpected)


async def test_the_right_ones_get_in(parser: str) -> None:
    async with open_doors() as doors, serving({"people": doors.people_app, "programs": doors.programs_app}) as ports:
        live = Live(doors, ports)
        for door, headers in (("people", PERSON), ("programs", PROGRAM)):
            assert statuses(await live.send(door, get("/api/v1/jobs/{id}", headers))) == [200]
            assert statuses(await live.send(door, post(CANCEL, headers))) == [202]


async def test_who_would_like_another_protocol_is_served_by_this_one(parser: str) -> None:
    """The HTTP client of Java asks for HTTP/2 with every first request, also with one that has a body."""
    note = '{"note": "asked by Java"}'
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    asked = get(CANCEL, PERSON, *upgrade, f"Content-Length: {len(note)}", method="POST").replace(
        "Connection: close\r\n", ""
    )
    async with open_doors() as doors, serving({"people": doors.people_app}) as ports:
        live = Live(doors, ports)
        answer = await live.send("people", asked + note + get("/api/v1/jobs/{id}", PERSON))
        assert re.findall(rb"HTTP/1\.1 (\d{3}) ", answer) == [b"202", b"200"]
        assert b"asked by Java" in answer


@pytest.mark.parametrize(
    "begin",
    [
        pytest.param(get("/api/v1/jobs")[:-2] + "X: ", id="header"),
        pytest.param("GET /", id="path"),
        pytest.param(get("/healthz", "Transfer-Encoding: chunked")[:-2] + "\r\n0\r\nX: ", id="header-behind-a-body"),
        pytest.param(get("/healthz", "Transfer-Encoding: chunked")[:-2] + "\r\n1;", id="extension-of-a-chunk"),
    ],
)
async def test_a_head_without_an_end_is_not_read_for_ever(parser: str, begin: str) -> None:
    async with open_doors() as doors, serving({"people": doors.people_app}) as ports:
        reader, writer = await asyncio.open_connection("127.0.0.1", ports["people"])
        writer.write(begin.encode())
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                for _ in range(64):
                    writer.write(b"x" * 64 * 1024)
                    await writer.drain()
                assert b" 400 " in await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        pytest.param("localhost:8090", 200, id="forwarded port"),
        pytest.param("127.0.0.1:8090", 200, id="address"),
        pytest.param("[::1]:8090", 200, id="address of version 6"),
        pytest.param("10.1.2.3:8090", 200, id="as the kubelet asks"),
        pytest.param("bgjobs-api:8090", 200, id="service"),
        pytest.param("bgjobs-api.bgjobs.svc", 200, id="service with its namespace"),
        pytest.param("bgjobs-api.bgjobs.svc.cluster.local:8090", 200, id="service in full"),
        pytest.param("evil.example:8090", 421, id="a name of elsewhere"),
        pytest.param("evil.example", 421, id="a name of elsewhere, without a port"),
        pytest.param("evil.example.", 421, id="a name of elsewhere, with a dot"),
        pytest.param("127.0.0.1.evil.example", 421, id="a name that looks like an address"),
        pytest.param("svc.evil.example", 421, id="a name that looks like a service"),
        pytest.param("localhost.evil.example:8090", 421, id="a name that begins like ours"),
        pytest.param("", 421, id="no name"),
    ],
)
async def test_a_trial_answers_to_names_inside_the_cluster_alone(host: str, status: int) -> None:
    """A page of elsewhere could make its own name lead to a forwarded port (DNS rebinding)."""
    async with open_doors() as doors, serving({"trial": front_door.for_trial(doors.people_app.state.deps)}) as ports:
        answer = await Live(doors, ports).send("trial", get("/healthz").replace("bgjobs.example", host))
        assert statuses(answer) == [status]
