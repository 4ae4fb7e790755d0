"""An identity provider: a real HTTP server, with the keys that a test gives it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from tests.api.tokens import new_key
from tests.api.world import NOW

if TYPE_CHECKING:
    from joserfc import jwk

CLIENT: Final = "bgjobs-dashboard"
RSA: Final = new_key("p-rsa")
EC: Final = new_key("p-ec", "EC")
DISCOVERY: Final = "/.well-known/openid-configuration"


@dataclass
class Provider:
    """What it answers is a test's to change.

    Attributes:
        url: that of the issuer, once it has started.
        published: its keys.
        changes: to its discovery document; None leaves a field out.
        answers: what it says instead of documents, by path.
        asked: paths, as they were asked for.
    """

    url: str = ""
    published: list[jwk.Key] = field(default_factory=lambda: [RSA, EC])
    changes: dict[str, Any] = field(default_factory=dict[str, Any])
    answers: dict[str, web.Response] = field(default_factory=dict[str, web.Response])
    asked: list[str] = field(default_factory=list[str])
    _runner: web.ServerRunner | None = None

    async def start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def key_set(self) -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key in self.published]}

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path in self.answers:
            return self.answers[request.path]
        if request.path == "/keys":
            return web.json_response(self.key_set())
        if request.path == DISCOVERY:
            document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys", **self.changes}
            return web.json_response({name: value for name, value in document.items() if value is not None})
        return web.Response(status=404)


def id_claims(issuer: str, **changes: Any) -> dict[str, Any]:
    """Those of an ID token of Ada; a change to None leaves one out."""
    made: dict[str, Any] = {
        "aud": CLIENT,
        "email": "ada@example.com",
        "email_verified": True,
        "exp": int(NOW) + 6000,
        "groups": ["billing", "on-call"],
        "iat": int(NOW),
        "iss": issuer,
        "nonce": "n-0S6_WzA2Mj",
        "sub": "0f3c1f9a",
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}
