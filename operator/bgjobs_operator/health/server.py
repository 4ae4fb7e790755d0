"""The HTTP server of the operator: `/healthz` and `/readyz` for the kubelet, `/metrics` for Prometheus."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_operator.health.health import Health

    Scrape = Callable[[str], Awaitable[tuple[bytes, str]]]


async def serve(health: Health, host: str, port: int, scrape: Scrape) -> web.AppRunner:
    """Start the server. Call `cleanup()` of what is returned to end it.

    Args:
        health: what `/healthz` and `/readyz` answer.
        host: the address to listen at.
        port: likewise; 0 for any that is free.
        scrape: the body and the content type of `/metrics`, in the format that this header `Accept` asks for.
    """

    async def healthz(_: web.Request) -> web.Response:
        code, body = health.live(time.monotonic())
        return web.Response(status=code, text=json.dumps(body), content_type="application/json")

    async def readyz(_: web.Request) -> web.Response:
        code, body = health.ready()
        return web.Response(status=code, text=json.dumps(body), content_type="application/json")

    async def metrics(request: web.Request) -> web.Response:
        body, content_type = await scrape(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
