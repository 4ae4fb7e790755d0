"""Clients that come out of a pickle, in another process than the one in which they were made."""

from __future__ import annotations

import atexit
import os
import time
from typing import TYPE_CHECKING

from bgjobs.connection.server import parse_url
from bgjobs.connection.settings import find_token_later
from bgjobs.connection.transport import Transport

if TYPE_CHECKING:
    from bgjobs.client.job_client import JobClient
    from bgjobs.connection.settings import Limits

# One for all handles that were pickled with the same settings, and not a connection for each of them.
_unpickled_clients: dict[tuple[object, ...], JobClient] = {}


def unpickled(kind: type[JobClient], url: str, namespace: str | None, limits: Limits) -> JobClient:
    """A client that was pickled. Nothing is raised here, where nobody could catch it: what is missing shows in use."""
    what = (kind, url, namespace, limits)
    if (there := _unpickled_clients.get(what)) is not None:
        return there
    client = kind.__new__(kind)
    server = parse_url(url)
    client.__dict__.update(
        _limits=limits,
        _transport=Transport(server, find_token_later(server, os.environ), **limits._asdict()),
        _namespace=namespace,
        sleep=time.sleep,
    )
    return _unpickled_clients.setdefault(what, client)


@atexit.register
def _close_unpickled_clients() -> None:
    for client in _unpickled_clients.values():
        client.close()
