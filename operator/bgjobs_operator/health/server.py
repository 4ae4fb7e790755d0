"""The HTTP server of the operator, which answers `/healthz` and `/readyz` for the kubelet."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from bgjobs_operator.health.health import Health


async def serve(health: Health, host: str, port: int) -> web.AppRunner:
    """Start the server at this address and port. Call `cleanup()` of what is returned to end it."""

    async def healthz(_: web.Request) -> web.Response:
        code, body = health.live(time.monotonic())
        return web.Response(status=code, text=json.dumps(body), content_type="application/json")

    async def readyz(_: web.Request) -> web.Response:
        code, body = health.ready()
        return web.Response(status=code, text=json.dumps(body), content_type="application/json")

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
