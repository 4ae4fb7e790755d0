"""What the application is built on, as a value: tests put fakes in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bgjobs_core.redis.memory import MemoryGate

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from bgjobs_api.clock import Clock, Moment
    from bgjobs_api.health.redis_state import RedisState
    from bgjobs_api.identity.access import Action
    from bgjobs_api.identity.service_accounts import Identity
    from bgjobs_core.health.findings import Doubt
    from bgjobs_core.store.store import Store


async def _nobody() -> Sequence[Doubt]:
    """There is no operator elsewhere to ask."""
    return ()


class Authenticator(Protocol):
    """Says who calls; see `identity.ServiceAccountTokens`."""

    @property
    def ready(self) -> bool:
        """Whether any token can be verified."""
        ...

    async def identify(self, token: str, now: Moment) -> Identity:
        """Whom a token belongs to. Raises UnauthenticatedError or KeysUnavailableError."""
        ...


class Access(Protocol):
    """Says what a caller may do; see `access.ReviewedAccess`."""

    async def allowed(self, caller: Identity, action: Action, namespace: str, now: Moment) -> bool:
        """Whether the caller may do this there. Raises AccessUnavailableError."""
        ...


@dataclass(frozen=True)
class Deps:
    """Everything that has effects.

    Attributes:
        store: the one of core, on a real Redis or on fakeredis.
        namespaces: those that may have jobs; lists without a namespace go over them.
        notice: a sentence that every page shows on top, "" for none.
        anonymous: who calls without a token; None: nobody may. Local mode has one, and a trial.
        sign_in: whether people sign in and out at a proxy in front, which has `/oauth2/`.
        rediscli: how an administrator calls redis-cli.
        doubts: more that /readyz should warn of; it asks nobody.
        ask_operator: what the operator says of itself, from Redis; raises StoreError.
        roles: how the names of the chart's ClusterRoles begin, for those who are told which one they need.
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
    doubts: Callable[[], Sequence[Doubt]] = tuple["Doubt", ...]
    ask_operator: Callable[[], Awaitable[Sequence[Doubt]]] = _nobody
    roles: str = "bgjobs"
    gate: MemoryGate = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gate", MemoryGate(self.redis, lambda: self.clock().monotonic))
