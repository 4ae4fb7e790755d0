"""The services that the application is built with, as one value. Tests put stand-ins into it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bgjobs_api.turns import Turns
from bgjobs_core.redis.memory import MemoryGate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bgjobs_api.clock import Clock, Moment
    from bgjobs_api.health.redis_state import RedisState
    from bgjobs_api.identity.access import Action
    from bgjobs_api.identity.caller import Identity
    from bgjobs_core.actions.queue_pause import QueueObjects
    from bgjobs_core.health.findings import Finding
    from bgjobs_core.store.store import Store

_BODIES_AT_ONCE = 16  # of one caller; the others wait at their sockets
_BATCHES_AT_ONCE = 2  # the same: a batch has up to 8 MiB


async def _no_findings() -> Sequence[Finding]:
    """What is told where no operator runs in another process."""
    return ()


class Authenticator(Protocol):
    """Tells who calls, by a token; `service_accounts`, `id_tokens` and `trial` in `bgjobs_api.identity` do."""

    @property
    def ready(self) -> bool:
        """Whether tokens can be verified; until then the API is not ready."""
        ...

    async def identify(self, token: str, now: Moment) -> Identity:
        """The caller who has sent this token.

        Raises:
            UnauthenticatedError: if the token is not good.
            KeysUnavailableError: if that cannot be told at the moment.
        """
        ...


class Access(Protocol):
    """Tells what a caller may do. `identity.access.ReviewedAccess` implements it by asking Kubernetes."""

    async def allowed(self, caller: Identity, action: Action, namespace: str, now: Moment) -> bool:
        """Whether the caller may do this in a namespace.

        Raises:
            AccessUnavailableError: if that cannot be told at the moment.
        """
        ...


@dataclass(frozen=True)
class Deps:
    """The services and settings that the routes work with.

    Attributes:
        store: where the jobs are.
        redis: what Redis says about itself.
        authenticator: tells who has sent a request.
        access: tells what that caller may do.
        clock: tells the time.
        namespaces: the namespaces that may have jobs; a list without a namespace is made of all of them.
        notice: a sentence that every page shows at its top; "" for none.
        anonymous: who calls where no token is sent; None: a token is needed. A trial has one.
        sign_in: whether people sign in and out at a proxy in front of the API, which serves `/oauth2/`.
        rediscli: how an administrator calls redis-cli, for remedies.
        findings: what `/readyz` should warn of, as far as it is known already; nothing is asked for it.
        ask_operator: reads from Redis what the operator has found wrong; raises StoreError.
        roles: how the names of the chart's ClusterRoles begin, for telling callers which one they need.
        batches: held by whoever makes jobs of the body of a batch.
        unapproved: says what to do about a class that its queue does not approve; None: what an administrator can do.
        bodies: held by whoever has a body that nothing is made of yet, a few at a time of one caller.
        batch_bodies: the same of bodies of batches.
        large_bodies: held by whoever makes something of a large body.
        queues: the objects of queues, which people pause and resume; None where that cannot be done.
        gate: whether there is room in Redis for more jobs.
    """

    store: Store
    redis: RedisState
    authenticator: Authenticator
    access: Access
    clock: Clock
    namespaces: tuple[str, ...]
    notice: str = ""
    anonymous: Identity | None = None
    sign_in: bool = False
    rediscli: str = "redis-cli"
    findings: Callable[[], Sequence[Finding]] = tuple["Finding", ...]
    ask_operator: Callable[[], Awaitable[Sequence[Finding]]] = _no_findings
    roles: str = "bgjobs"
    unapproved: Callable[[], str] | None = None
    queues: QueueObjects | None = None
    batches: asyncio.Lock = field(default_factory=asyncio.Lock)
    large_bodies: asyncio.Lock = field(default_factory=asyncio.Lock)
    bodies: Turns[Identity] = field(default_factory=lambda: Turns(_BODIES_AT_ONCE))
    batch_bodies: Turns[Identity] = field(default_factory=lambda: Turns(_BATCHES_AT_ONCE))
    gate: MemoryGate = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gate", MemoryGate(self.redis, lambda: self.clock().monotonic))
