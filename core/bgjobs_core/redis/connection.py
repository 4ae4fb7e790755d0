"""The one door to Redis: connections that send again what got no answer, and close what they open."""

from __future__ import annotations

from typing import Any, cast

import redis.asyncio as aredis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff

from bgjobs_core.redis.access import RedisAccess
from bgjobs_core.redis.closing import KINDS

Client = Any  # redis.asyncio.Redis or fakeredis; their stubs disagree with each other on every reply


def connect(access: RedisAccess | str, *, max_connections: int = 32) -> Client:
    """A client whose calls are sent again after a lost reply: every verb is idempotent under that.

    Args:
        access: where it is and how to get in; or an address alone, as `redis://:password@host:6379/0`.
        max_connections: more callers than this wait for their turn, up to 5 s.
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
        "retry": Retry(ExponentialWithJitterBackoff(base=0.05, cap=1), 3),
        # What the address says wins over ours, and what was given beside it over both.
        **cast("dict[str, Any]", parse_url(access.url)),
        **{name: value for name, value in given.items() if value},
    }
    options["connection_class"] = KINDS[options.get("connection_class")]
    pool = cast("Any", aredis.BlockingConnectionPool)(**options)
    return aredis.Redis.from_pool(pool)  # which closes the pool with the client
