"""Our API as a process, as local mode serves it but without the loops that launch jobs: `api_server <redis url>`.

Identity and permissions are those of local mode, so that a call costs what it does in the API itself. A pod's token is
its name and its UID with a colon between.
"""

from __future__ import annotations

import sys

from bench.subjects import uvicorn_loop
from bench.subjects.jobs import NAMESPACE
from bgjobs_api.app import create_app
from bgjobs_api.clock import Moment, system_clock
from bgjobs_api.health.redis_state import RealRedisState
from bgjobs_api.http import listening
from bgjobs_api.http.deps import Deps
from bgjobs_api.identity.caller import Identity
from bgjobs_api.identity.errors import UnauthenticatedError
from bgjobs_core import log_setup
from bgjobs_core.redis import connection
from bgjobs_core.store.store import Store
from bgjobs_local.identity import EverythingAllowed, person

_SHUTDOWN_SECONDS = 2


class PodTokens:
    """Knows every pod by a token that says which one it is. Implements `bgjobs_api.http.deps.Authenticator`."""

    ready = True

    async def identify(self, token: str, now: Moment) -> Identity:  # noqa: ARG002 - nothing expires
        """See `Authenticator.identify`."""
        name, colon, uid = token.partition(":")
        if not colon:
            raise UnauthenticatedError("this is no token of a pod")
        return Identity(f"pod:{name}", (), NAMESPACE, name, uid)


async def _serve(redis_url: str) -> None:
    log_setup.configure("warning", "text")
    client = connection.connect(redis_url)
    store = Store(client)
    deps = Deps(
        store=store,
        redis=RealRedisState(client),
        authenticator=PodTokens(),
        access=EverythingAllowed(),
        clock=system_clock,
        namespaces=(NAMESPACE,),
        anonymous=person(NAMESPACE),
    )
    with listening.listen("127.0.0.1", 0) as listener:
        print(listener.getsockname()[1], flush=True)
        await listening.run_servers(
            [(listening.make_server(create_app(deps, pages=True), _SHUTDOWN_SECONDS), listener)]
        )
    await store.close()


if __name__ == "__main__":
    uvicorn_loop.run(_serve(sys.argv[1]))
