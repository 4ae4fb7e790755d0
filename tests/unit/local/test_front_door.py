"""Who gets in at `bgjobs dev`: whoever has its token, or a browser that has opened a link made with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import httpx2
import pytest
from fastapi.routing import iter_route_contexts
from starlette.responses import PlainTextResponse

from bgjobs.connection.local_link import GOOD_SECONDS, PATH, new_link, read_code
from bgjobs_api.app import create_app
from bgjobs_local.front_door import FrontDoor
from bgjobs_local.identity import LocalTokens, person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from bgjobs_api.http.deps import Deps

PORT = 8700
URL = f"http://127.0.0.1:{PORT}"


@dataclass
class Inside:
    """The application behind the door: it tells with which token it was called."""

    calls: list[str] = field(default_factory=list[str])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        said = dict(scope["headers"]).get(b"authorization", b"").decode()
        self.calls.append(said)
        await PlainTextResponse(said)(scope, receive, send)


@dataclass
class Door:
    """The door, and somebody before it."""

    tokens: LocalTokens = field(default_factory=lambda: LocalTokens(person("shop")))
    inside: Inside = field(default_factory=Inside)
    now: float = 1000.0
    app: Any = None

    def __post_init__(self) -> None:
        self.door = FrontDoor(self.app or self.inside, self.tokens, PORT, lambda: self.now)
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.door), base_url=URL)

    def link(self, token: str = "") -> str:
        return new_link(URL, token or self.tokens.token, self.now)

    async def get(self, path: str, method: str = "GET", **headers: str) -> httpx2.Response:
        self.http.cookies.clear()
        return await self.http.request(method, path, headers=headers)

    async def cookie(self) -> str:
        """What a browser sends after it has opened a link."""
        return (await self.get(self.link())).headers["set-cookie"].partition(";")[0]


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made = Door()
    async with made.http:
        yield made


async def test_the_token_lets_in_and_a_pods_too(door: Door) -> None:
    pod = door.tokens.give("shop", "pod-1", "uid-1")
    for token in (door.tokens.token, pod):
        assert (await door.get("/api/v1/jobs", Authorization=f"Bearer {token}")).text == f"Bearer {token}"
    door.tokens.take_back("uid-1")
    assert (await door.get("/api/v1/jobs", Authorization=f"Bearer {pod}")).status_code == 401


@pytest.mark.parametrize("said", ["Bearer x", "Bearer ", "Basic {}", "{}", "Bearer {}x", "Bearer ä", "Bearer {} {}"])
async def test_nothing_else_does(door: Door, said: str) -> None:
    headers = [(b"Authorization", said.replace("{}", door.tokens.token).encode("latin-1"))]
    for more in ([], [(b"Cookie", b"bgjobs_8700=x; bgjobs_8700=")]):
        answer = await door.http.get("/api/v1/jobs", headers=headers + more)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert door.inside.calls == []


async def test_a_header_that_comes_twice_lets_nobody_in(door: Door) -> None:
    token = f"Bearer {door.tokens.token}".encode()
    answer = await door.http.get("/readyz", headers=[(b"Authorization", token), (b"Authorization", token)])
    assert answer.status_code == 401


async def test_without_anything_it_says_what_to_do(door: Door) -> None:
    answer = await door.get("/api/v1/jobs")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="bgjobs"'
    assert "`bgjobs token` prints it" in answer.json()["detail"]
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")
    page = await door.get("/jobs")
    assert (page.status_code, page.headers["content-type"]) == (401, "text/html; charset=utf-8")
    assert "bgjobs link" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


async def test_every_route_but_one_wants_the_token() -> None:
    app = create_app(cast("Deps", None), pages=True)
    door = Door(app=app)
    routes = {
        (method, str(context.path)) for context in iter_route_contexts(app.routes) for method in context.methods or ()
    }
    assert len(routes) > 40
    for method, path in sorted(routes):
        answer = await door.get(path, method)
        assert answer.status_code == (401 if path != "/healthz" else 200), path
    await door.http.aclose()


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8700", "127.0.0.1", "127.0.0.1:8701", "localhost.evil.example:8700", "[::1]", "",
     "127.0.0.2:8700", "127.0.0.1:8700.", "localhost.:8700"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/healthz", "/jobs", PATH])
async def test_a_name_that_somebody_made_lead_here_does_not(door: Door, host: str, path: str) -> None:
    answer = await door.get(path, Host=host, Authorization=f"Bearer {door.tokens.token}")
    assert (answer.status_code, answer.json()["code"]) == (421, "outside")
    assert URL in answer.json()["remedy"]


@pytest.mark.parametrize("host", ["127.0.0.1:8700", "localhost:8700", "[::1]:8700", "LOCALHOST:8700"])
async def test_its_own_names_lead_here(door: Door, host: str) -> None:
    assert (await door.get("/healthz", Host=host)).status_code == 200


async def test_a_link_signs_a_browser_in_once(door: Door) -> None:
    link = door.link()
    answer = await door.get(link)
    assert answer.status_code == 200
    assert 'content="0; url=/jobs"' in answer.text
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert cookie.startswith("bgjobs_8700=")
    assert set(attributes) == {"Path=/", "HttpOnly", "SameSite=Strict"}
    assert (await door.get("/jobs", Cookie=f"other=1; {cookie}")).text == f"Bearer {door.tokens.token}"
    again = await door.get(link)
    assert (again.status_code, "set-cookie" in again.headers) == (401, False)
    # Whoever is in already goes on, and gets nothing new.
    known = await door.get(link, Cookie=cookie)
    assert (known.status_code, "set-cookie" in known.headers) == (200, False)
    # Each link is for one browser.
    assert (await door.get(door.link())).status_code == 200


async def test_a_link_is_good_for_a_short_time(door: Door) -> None:
    late, in_time = door.link(), door.link()
    door.now += GOOD_SECONDS
    assert (await door.get(in_time)).status_code == 200
    door.now += 1
    assert (await door.get(late)).status_code == 401
    assert (await door.get(in_time)).status_code == 401


async def test_a_link_of_somebody_without_the_token_is_none(door: Door) -> None:
    good = door.link().partition("code=")[2]
    until, once, signature = good.split(".")
    for code in (
        door.link("x" * 43).partition("code=")[2], "", "x", "..", f"{int(until) + 9}.{once}.{signature}",
        f"{until}.other.{signature}", f"{until}.{once}", f"{until}.{once}.", "ä.ö.ü", good + "0",
    ):  # fmt: skip
        assert (await door.get(f"{PATH}?code={code}")).status_code == 401, code
        assert read_code(code, door.tokens.token) is None
    assert (await door.get(f"{PATH}?code={good}&code={good}")).status_code == 401
    assert (await door.get(f"{PATH}?code={good}")).status_code == 200


async def test_who_only_looks_ahead_does_not_use_a_link_up(door: Door) -> None:
    link = door.link()
    for method in ("HEAD", "POST", "OPTIONS"):
        assert (await door.get(link, method)).status_code == 405
    assert (await door.get(link)).status_code == 200


async def test_cookies_of_other_servers_are_no_trouble(door: Door) -> None:
    cookie = await door.cookie()
    for line in (f"bgjobs_8701=x; {cookie}", f"bgjobs_8700=planted; {cookie}", f'a="b;c"; {cookie}; ; =;'):
        assert (await door.get("/jobs", Cookie=line)).status_code == 200
    value = cookie.partition("=")[2]
    for line in (f"bgjobs_8701={value}", f"xbgjobs_8700={value}", f"bgjobs_8700={value}x", value):
        assert (await door.get("/jobs", Cookie=line)).status_code == 401


async def test_a_cookie_is_of_one_run() -> None:
    first, second = Door(), Door()
    cookie = await first.cookie()
    assert (await first.get("/jobs", Cookie=cookie)).status_code == 200
    assert (await second.get("/jobs", Cookie=cookie)).status_code == 401
    assert first.tokens.token != second.tokens.token
    await first.http.aclose()
    await second.http.aclose()


async def test_with_a_cookie_another_page_still_changes_nothing() -> None:
    app = create_app(cast("Deps", None), pages=True)
    door = Door(app=app)
    cookie = await door.cookie()
    for headers in (
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:9000"},
        {"Origin": "http://127.0.0.1:9000"}, {"Origin": "http://localhost:8700"}, {"Origin": "null"},
    ):  # fmt: skip
        for path in ("/jobs/x/cancel", "/api/v1/jobs"):
            answer = await door.get(path, "POST", Cookie=cookie, **headers)
            assert answer.status_code == 403, headers
    await door.http.aclose()


async def test_a_socket_of_another_kind_is_closed(door: Door) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await door.door({"type": "websocket", "path": "/", "headers": []}, cast("Receive", None), send)
    assert sent == [{"type": "websocket.close"}]
