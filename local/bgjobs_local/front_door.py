"""Lets in whoever has the token of `bgjobs dev`, or the cookie of a browser that was signed in with it.

Every user and every program of a machine can reach 127.0.0.1, and jobs run as the user who runs `bgjobs dev`. So
everything but `/healthz` wants the token. Browsers cannot send one: a link that works once gives them a cookie for it.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from fastapi import Response
from starlette.datastructures import Headers

from bgjobs.connection import local_link
from bgjobs_api.http.problems import ProblemError, response
from bgjobs_api.pages.shared.errors import is_page
from bgjobs_api.pages.shared.rendering import HEADERS
from bgjobs_local.identity import NOT_KNOWN, is_same, new_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from bgjobs_local.identity import LocalTokens

HTTP_PORT: Final = 80
_OPEN: Final = "/healthz"  # it says nothing but that somebody answers
_BEARER: Final = "bearer"
_NEEDED: Final = (
    "this `bgjobs dev` answers only to the user who runs it: send its token in the header `Authorization: Bearer "
    "TOKEN`; `bgjobs token` prints it in the folder of `bgjobs dev`"
)
# These pages stand for themselves: styles and scripts are for those who are in.
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>{title} · bgjobs</title>
  <link rel="icon" href="data:,">{more}
</head>
<body><main>
  <h1>{title}</h1>
  <p>{words}</p>
</main></body>
</html>
"""
_ANOTHER: Final = (
    "Type <code>bgjobs link</code> in a terminal, in the folder of <code>bgjobs dev</code>, and open what it prints."
)


class FrontDoor:
    """ASGI middleware around the whole application of local mode.

    Args:
        app: the application.
        tokens: knows the tokens, and recognises who sends one.
        port: where the server listens. The cookie is named by it, since a browser sends all cookies of 127.0.0.1 to
            every port: two servers do not take each other's.
        now: seconds since 1970.
    """

    def __init__(self, app: ASGIApp, tokens: LocalTokens, port: int, now: Callable[[], float] = time.time) -> None:
        self._app = app
        self._tokens = tokens
        self._now = now
        end = "" if port == HTTP_PORT else f":{port}"  # which no client sends
        self._hosts = {f"{name}{end}" for name in ("127.0.0.1", "localhost", "[::1]")}
        self._cookie = f"bgjobs_{port}"
        self._session = new_secret()
        self._used: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass it on to the application."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close"})
            return
        headers = Headers(scope=scope)
        path: str = scope["path"]
        answer = self._of_host(headers)
        if answer is None and path == local_link.PATH:
            answer = self._sign_in(scope, headers)
        elif answer is None and path != _OPEN:
            answer = self._who(scope, headers)
        await (answer or self._app)(scope, receive, send)

    def _of_host(self, headers: Headers) -> Response | None:
        """The refusal of a request for another host.

        The page of another site can make the name of its own host lead to 127.0.0.1 (DNS rebinding), and would read
        our answers then.
        """
        hosts = headers.getlist("host")
        if len(hosts) == 1 and hosts[0].lower() in self._hosts:
            return None
        return response(
            ProblemError(
                HTTPStatus.MISDIRECTED_REQUEST,
                "outside",
                "this `bgjobs dev` answers only under its own address",
                remedy=f"ask for http://{min(self._hosts)}",
            )
        )

    def _who(self, scope: Scope, headers: Headers) -> Response | None:
        """The refusal of a request that nobody known has sent; with a cookie the request gets the person's token."""
        said = headers.getlist("authorization")
        if not said and self._is_signed_in(headers):
            token = f"Bearer {self._tokens.token}".encode()
            scope["headers"] = [*scope["headers"], (b"authorization", token)]
            return None
        scheme, _, token = said[0].partition(" ") if len(said) == 1 else ("", "", "")
        if scheme.lower() == _BEARER and self._tokens.find(token.strip()) is not None:
            return None
        if is_page(scope["path"]):
            return _page(HTTPStatus.UNAUTHORIZED, "Who are you?", f"This server is one user's alone. {_ANOTHER}")
        problem = ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "unauthenticated",
            NOT_KNOWN if said else _NEEDED,
            headers={"WWW-Authenticate": 'Bearer realm="bgjobs"'},
        )
        return response(problem)

    def _is_signed_in(self, headers: Headers) -> bool:
        found = False
        for line in headers.getlist("cookie"):
            for pair in line.split(";"):
                name, _, value = pair.strip().partition("=")
                # Another server of this machine may have set one of the same name beside ours.
                found |= name == self._cookie and is_same(value, self._session)
        return found

    def _sign_in(self, scope: Scope, headers: Headers) -> Response:
        if scope["method"] != "GET":  # what only looks ahead, by HEAD, does not use the code up
            return _page(HTTPStatus.METHOD_NOT_ALLOWED, "Open this link", _ANOTHER, {"Allow": "GET"})
        name, _, code = scope["query_string"].decode("latin-1").partition("=")
        if name == "code" and self._use(code):
            cookie = f"{self._cookie}={self._session}; Path=/; HttpOnly; SameSite=Strict"
            return _welcome({"Set-Cookie": cookie})
        if self._is_signed_in(headers):
            return _welcome({})
        return _page(HTTPStatus.UNAUTHORIZED, "This link was used, or is too old", _ANOTHER)

    def _use(self, code: str) -> bool:
        """Whether a code is good; from then on it is not."""
        found = local_link.read_code(code, self._tokens.token)
        now = self._now()
        if found is None or now > found.until or found.once in self._used:
            return False
        self._used = {once: until for once, until in self._used.items() if until >= now} | {found.once: found.until}
        return True


def _welcome(headers: Mapping[str, str]) -> Response:
    """It goes on to the jobs by itself.

    A redirect would not do where the link was followed from a page of another site, as a terminal in the browser: to
    the second request of such a way no browser adds a cookie that is SameSite=Strict.
    """
    more = '\n  <meta http-equiv="refresh" content="0; url=/jobs">'
    return _page(HTTPStatus.OK, "You are signed in", '<a href="/jobs">To the jobs</a>', headers, more)


def _page(
    status: HTTPStatus, title: str, words: str, headers: Mapping[str, str] | None = None, more: str = ""
) -> Response:
    return Response(
        _PAGE.format(title=title, words=words, more=more),
        status,
        media_type="text/html; charset=utf-8",
        headers={**HEADERS, **(headers or {})},
    )
