"""The API as a server on a port, on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any, Final, TypeVar

import uvicorn
from fakeredis import FakeAsyncRedis, FakeServer

from bgjobs_api.app import Deps, create_app
from bgjobs_api.http.request_parser import PARSER
from bgjobs_core.resources.models import QueueSpec
from bgjobs_core.store.store import Store
from tests.api.world import FakeAccess, FakeAuthenticator, FakeClock, FakeRedisState

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from bgjobs_api.clock import Clock
    from bgjobs_api.http.deps import Authenticator
    from bgjobs_core.actions.queue_pause import QueueObjects
    from bgjobs_core.redis.connection import Client

_T = TypeVar("_T")
PATIENCE_SECONDS: Final = 60


class LiveApi:
    """Close it in the end.

    Args:
        client: of Redis, not used yet; None: of a fake one.
        verifier: says who calls; None: `authenticator`.
        clock: says what time it is there.
        parser: reads the bytes of requests.
        queues: the objects of queues; None: they cannot be changed.

    Attributes:
        store: to be used through `run` only.
        authenticator: gives out tokens.
        access: allows all but what a test denies.
    """

    def __init__(
        self,
        client: Client | None = None,
        verifier: Authenticator | None = None,
        clock: Clock | None = None,
        parser: type[asyncio.Protocol] = PARSER,
        queues: QueueObjects | None = None,
    ) -> None:
        self.authenticator = FakeAuthenticator()
        self.access = FakeAccess()
        self.client: Any = client or FakeAsyncRedis(server=FakeServer())
        self.store = Store(self.client)
        deps = Deps(
            self.store,
            FakeRedisState(),
            verifier or self.authenticator,
            self.access,
            clock or FakeClock(),
            ("shop",),
            queues=queues,
        )
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(deps), http=parser, port=0, log_config=None, access_log=False, proxy_headers=False
            )
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="api")
        self._thread.start()
        until = time.monotonic() + PATIENCE_SECONDS
        while not self._server.started:
            assert time.monotonic() < until, "the API did not start"
            time.sleep(0.01)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._server.serve())

    @property
    def url(self) -> str:
        port: int = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do something with the store, where the server does it too."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_SECONDS)

    def put_queue(self, **spec: Any) -> None:
        self.run(self.store.put_queue("shop/default", QueueSpec.model_validate({"image": "shop:1", **spec})))

    def launch(self, job_id: str, kube_uid: str) -> None:
        """What the operator does with a queued job."""

        async def work() -> None:
            await self.store.lead("epoch")
            assert job_id in (await self.store.claim(epoch="epoch", queue="shop/default", limit=10)).ids
            assert (await self.store.bind(job_id=job_id, kube_uid=kube_uid)).did == "bound"

        self.run(work())

    def close(self) -> None:
        self.run(self.store.close())
        self._server.should_exit = True
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
