"""The only place that connects to Redis. Calls that got no answer are sent again."""

from __future__ import annotations

from typing import Any, cast

import redis.asyncio as aredis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.maint_notifications import MaintNotificationsConfig

from bgjobs_core.redis.access import RedisAccess
from bgjobs_core.redis.closing import KINDS
from bgjobs_core.redis.keeping import KeepingPool
from bgjobs_core.redis.together import Together

Client = Any  # redis.asyncio.Redis or fakeredis, whose type stubs give different types to every reply


def connect(access: RedisAccess | str, *, max_connections: int = 32, together: bool = False) -> Client:
    """Make a client of Redis. Nothing is sent yet; close the client when it is not needed any more.

    A call whose reply was lost is sent again, up to three times. That is safe, because every verb of the store does
    the same whether it is sent once or twice.

    Args:
        access: address, user, password and certificates; or an address alone: `redis://:password@host:6379/0`.
        max_connections: how many calls may be under way; further ones wait for up to 5 s.
        together: send in one pipeline what is asked at the same time, which is much cheaper where that is a lot. No
            command that blocks may be sent then.
    """
    if isinstance(access, str):
        access = RedisAccess(access)
    given = {
        "username": access.username,
        "password": access.password,
        "ssl_ca_certs": access.ca,
        "ssl_certfile": access.client_cert,
        "ssl_keyfile": access.client_key,
    }
    options: dict[str, Any] = {
        "max_connections": max_connections,
        "timeout": 5,
        "socket_timeout": 5,
        "socket_connect_timeout": 3,
        "health_check_interval": 30,
        # They are of Redis Enterprise alone, and where they may come, redis-py hands out connections that are not good:
        # closed ones, and those on which a reply waits that nobody has read.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        "retry": Retry(ExponentialWithJitterBackoff(base=0.05, cap=1), 3),
        # The address may set other values than these, and what was given beside the address counts most.
        **cast("dict[str, Any]", parse_url(access.url)),
        **{name: value for name, value in given.items() if value},
    }
    options["connection_class"] = KINDS[options.get("connection_class")]
    pool = KeepingPool(**options)
    kind = Together if together else aredis.Redis
    return kind.from_pool(pool)  # a client made like this closes its pool, too
