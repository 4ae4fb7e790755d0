"""Makes docs/redis.md: the table of every key in Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_core.store.keys import KEYS, PREFIX
from pages import code, header, table

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = """\
{header}
# What is in Redis

Every key begins with `{prefix}`. The braces in it are a hash tag: in a Redis Cluster all keys lie on one node, so that
a script may use any of them. In the table, braces stand for the part that differs from key to key.

No key grows without an end: each one is removed by somebody, expires, or has a greatest size (S9 of
[safety.md](safety.md)).

{keys}"""


def files() -> Iterator[tuple[str, str]]:
    """Yield the page docs/redis.md."""
    rows = [(code(key.pattern), key.kind, key.holds, key.bound) for key in KEYS]
    keys = table(["Key", "Type", "Holds", "Bound"], rows)
    yield "docs/redis.md", PAGE.format(header=header("core/bgjobs_core/store/keys.py"), prefix=PREFIX, keys=keys)
