"""Both applications on one store, with real keys, a real identity provider, and rules as a cluster has them."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import httpx2
from fakeredis import FakeAsyncRedis, FakeServer

from bgjobs_api import front_door
from bgjobs_api.app import create_app
from bgjobs_api.http.deps import Deps
from bgjobs_api.identity.discovery import Issuer
from bgjobs_api.identity.id_tokens import IdTokens, Rules
from bgjobs_api.identity.issuer_door import IssuerDoor
from bgjobs_api.identity.issuer_keys import KeyRing
from bgjobs_api.identity.service_accounts import ServiceAccountTokens, fetch_keys
from bgjobs_core.store.store import Store
from tests.api.provider import CLIENT, RSA, Provider, id_claims
from tests.api.tokens import Cluster, claims, new_key, sign
from tests.api.world import FakeAccess, FakeAuthenticator, FakeClock, FakeRedisState, World

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from fastapi import FastAPI

    from bgjobs_api.clock import Moment
    from bgjobs_api.identity.access import Action
    from bgjobs_api.identity.caller import Identity
    from bgjobs_core.jobs.queue import Held, QueueRecord
    from bgjobs_core.jobs.timed_limits import TimedLimits
    from bgjobs_core.kube.door import Kube
    from tests.api.world import Pod

CLUSTER_KEY: Final = new_key("cluster-1")
ADA: Final = "oidc:ada@example.com"
WEB: Final = "system:serviceaccount:shop:web"


class ChangedQueues:
    """Queues whose objects can be changed; nothing but the store remembers it."""

    async def is_paused(self, queue: QueueRecord) -> bool:
        """See `QueueObjects.is_paused`."""
        return queue.spec.paused

    async def pause(self, queue: QueueRecord, held: Held) -> bool:
        """See `QueueObjects.pause`."""
        return bool(queue and held)

    async def resume(self, queue: QueueRecord) -> bool:
        """See `QueueObjects.resume`."""
        return bool(queue)

    async def limit(self, queue: QueueRecord, limits: TimedLimits | None) -> bool:  # noqa: ARG002 - as above
        """See `QueueObjects.limit`."""
        return bool(queue)


class Rbac:
    """Ada and shop's `web` may do everything in shop; whoever Kubernetes lets do everything may, too."""

    async def allowed(self, caller: Identity, action: Action, namespace: str, now: Moment) -> bool:  # noqa: ARG002
        if caller.user == "system:admin" or "system:masters" in caller.groups:
            return True
        return caller.user in {ADA, WEB} and namespace == "shop"


@dataclass(frozen=True)
class Doors:
    """What an attempt has at hand.

    Attributes:
        programs: the port of programs and runners.
        people: the port of people.
        world: makes jobs, past both.
        job_id: a running job of shop.
        other_id: a running job of mail.
        pod: that of the job.
    """

    programs_app: FastAPI
    people_app: FastAPI
    programs: httpx2.AsyncClient
    people: httpx2.AsyncClient
    provider: Provider
    world: World
    redis: Any
    pod: Pod
    other_id: str

    @property
    def job_id(self) -> str:
        return self.pod.job_id

    def id_token(self, **changes: Any) -> str:
        return sign(RSA, id_claims(self.provider.url, **changes))

    def pod_token(self, pod: Pod, namespace: str = "shop") -> str:
        """The token that is projected into a pod."""
        bound = {
            "namespace": namespace,
            "pod": {"name": pod.name, "uid": pod.uid},
            "serviceaccount": {"name": "default", "uid": "sa"},
        }
        subject = f"system:serviceaccount:{namespace}:default"
        return sign(CLUSTER_KEY, claims(sub=subject, exp=claims()["exp"] + 6000, **{"kubernetes.io": bound}))

    async def everything(self) -> dict[bytes, Any]:
        """All that is in Redis."""
        found: dict[bytes, Any] = {}
        for key in sorted(await self.redis.keys("*")):
            found[key] = await self.redis.dump(key)
        return found


def web_token(**changes: Any) -> str:
    """That of shop's program."""
    return sign(CLUSTER_KEY, claims(**{"exp": claims()["exp"] + 6000, **changes}))


@contextlib.asynccontextmanager
async def open_doors() -> AsyncGenerator[Doors]:
    """With the keys of both issuers read, some time ago."""
    async with contextlib.AsyncExitStack() as stack:
        provider = Provider()
        await provider.start()
        stack.push_async_callback(provider.stop)
        door = IssuerDoor()
        stack.push_async_callback(door.close)
        client: Any = FakeAsyncRedis(server=FakeServer())
        store = Store(client)
        stack.push_async_callback(store.close)
        clock = FakeClock()
        cluster = cast("Kube", Cluster([CLUSTER_KEY]))
        ring = KeyRing(lambda: fetch_keys(cluster))
        people_ring = KeyRing(Issuer(provider.url, door.get, clock).keys, provider.url)
        for one in (ring, people_ring):
            await one.reload(clock())
        clock.now += 60
        deps = Deps(
            store=store,
            redis=(redis := FakeRedisState()),
            authenticator=ServiceAccountTokens(ring),
            access=Rbac(),
            clock=clock,
            namespaces=("shop", "mail"),
            queues=ChangedQueues(),
        )
        tokens = IdTokens(people_ring, Rules(provider.url, CLIENT))
        authenticator, access = FakeAuthenticator(), FakeAccess()
        inside = create_app(Deps(store, redis, authenticator, access, clock, ("shop", "mail")))
        deps = front_door.with_findings_of(deps, tokens)
        apps = [front_door.for_programs(deps), front_door.for_people(deps, tokens), inside]
        clients = [
            await stack.enter_async_context(
                httpx2.AsyncClient(
                    transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url="http://bgjobs.example"
                )
            )
            for app in apps
        ]
        world = World(store, clients[2], authenticator, access, redis, clock)
        await world.put_queue()
        await world.put_queue("mail/default")
        mail = await world.enqueue(namespace="mail")
        yield Doors(
            apps[0],
            apps[1],
            clients[0],
            clients[1],
            provider,
            world,
            client,
            await world.running(),
            mail.json()["id"],
        )
