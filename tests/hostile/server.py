"""The whole API with its pages as a process, for callers of a test: `python -m tests.hostile.server REDIS_URL`.

It prints its port. The token `web` is a program that may do everything, and `pod:NAME:UID` a pod of namespace `shop`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bench.subjects import uvicorn_loop
from bgjobs_api.app import create_app
from bgjobs_api.clock import Moment, system_clock
from bgjobs_api.health.redis_state import RealRedisState
from bgjobs_api.http import listening
from bgjobs_api.http.deps import Deps
from bgjobs_api.identity.errors import UnauthenticatedError
from bgjobs_core import log_setup
from bgjobs_core.redis import connection
from bgjobs_core.store.store import Store
from bgjobs_local.identity import EverythingAllowed
from tests.api.doors import ChangedQueues
from tests.api.world import service_account

if TYPE_CHECKING:
    from bgjobs_api.identity.caller import Identity


class Tokens:
    """Implements `bgjobs_api.http.deps.Authenticator`."""

    ready = True

    async def identify(self, token: str, now: Moment) -> Identity:  # noqa: ARG002 - nothing expires
        """See `Authenticator.identify`."""
        kind, _, rest = token.partition(":")
        if kind == "pod":
            name, _, uid = rest.partition(":")
            return service_account("shop", "default", name, uid)
        if kind != "web":
            raise UnauthenticatedError("nobody knows this token")
        return service_account("shop", "web")


async def serve(redis_url: str) -> None:
    """Until SIGTERM."""
    log_setup.configure("error", "text")
    client = connection.connect(redis_url)
    store = Store(client)
    deps = Deps(
        store=store,
        redis=RealRedisState(client),
        authenticator=Tokens(),
        access=EverythingAllowed(),
        clock=system_clock,
        namespaces=("shop", "mail"),
        queues=ChangedQueues(),
    )
    with listening.listen("127.0.0.1", 0) as listener:
        print(listener.getsockname()[1], flush=True)
        await listening.run_servers([(listening.make_server(create_app(deps, pages=True), 2), listener)])
    await store.close()


if __name__ == "__main__":
    uvicorn_loop.run(serve(sys.argv[1]))
