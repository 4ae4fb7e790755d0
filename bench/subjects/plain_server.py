"""The least application that there can be behind uvicorn as it comes: what limits every answer over HTTP in Python."""

from __future__ import annotations

from typing import Any

import uvicorn

from bench.subjects import uvicorn_loop
from bgjobs_api.http import listening


async def application(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001 - as ASGI has it
    """Read the body, and answer `ok`."""
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def _serve() -> None:
    config = uvicorn.Config(application, log_config=None, access_log=False, lifespan="off", timeout_keep_alive=60)
    with listening.listen("127.0.0.1", 0) as listener:
        print(listener.getsockname()[1], flush=True)
        await listening.run_servers([(uvicorn.Server(config), listener)])


if __name__ == "__main__":
    uvicorn_loop.run(_serve())
