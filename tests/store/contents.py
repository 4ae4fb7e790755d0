"""Everything that a Redis holds, as one value that tests compare and `invariants` judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from bgjobs_core.jobs.record import AttemptRecord, JobRecord, SharedRecord
from bgjobs_core.store import keys

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client

_EVER: Final = -1


@dataclass(frozen=True)
class Entry:
    """One key: its Redis type, its value as a dict (hash, zset), list (list, stream), set or bytes, and its bound."""

    kind: str
    value: Any
    expires: bool


@dataclass(frozen=True)
class Contents:
    """All keys; two are equal if nothing was written between them."""

    entries: dict[str, Entry]

    def value(self, key: str) -> Any:
        """What a key holds, None if it is not there."""
        entry = self.entries.get(key)
        return entry.value if entry else None

    def scores(self, key: str) -> dict[str, int]:
        """A sorted set, empty if it is not there."""
        return self.value(key) or {}

    def fields(self, key: str) -> dict[bytes, bytes]:
        """A hash, empty if it is not there."""
        return self.value(key) or {}

    def shared(self) -> dict[bytes, dict[bytes, bytes]]:
        """What jobs have in common, by its digest."""
        name = keys.spec("")
        return {
            key.removeprefix(name).encode(): entry.value for key, entry in self.entries.items() if key.startswith(name)
        }

    def jobs(self) -> dict[str, JobRecord]:
        """Every job's record, by its id."""
        name, shared = keys.job(""), self.shared()
        found = [
            JobRecord.read(key.removeprefix(name), entry.value, SharedRecord.read(shared[entry.value[b"spec"]]))
            for key, entry in self.entries.items()
            if key.startswith(name)
        ]
        return {record.id: record for record in found}

    def attempts(self, job: JobRecord) -> list[AttemptRecord]:
        """A job's attempts, the first one first."""
        return [AttemptRecord.read(self.fields(keys.attempt(job.id, n))) for n in range(1, job.attempt + 1)]

    def differences(self, other: Contents, besides: tuple[str, ...] = ()) -> list[str]:
        """Keys that are not the same in both, for messages; those that begin as one of `besides` do not count."""
        names = sorted(name for name in {*self.entries, *other.entries} if not name.startswith(besides))
        return [
            f"{name}: {self.entries.get(name)} → {other.entries.get(name)}"
            for name in names
            if self.entries.get(name) != other.entries.get(name)
        ]


async def read(client: Client) -> Contents:
    """All that is there; the tests are its only writers."""
    names: list[bytes] = sorted(await client.keys("*"))
    pipe = client.pipeline(transaction=False)
    for name in names:
        pipe.type(name)
        pipe.ttl(name)
    facts = await pipe.execute()
    kinds = [kind.decode() for kind in facts[::2]]
    for name, kind in zip(names, kinds, strict=True):
        _ask(pipe, name, kind)
    values = await pipe.execute()
    return Contents(
        {
            name.decode(): Entry(kind, _plain(kind, value), ttl != _EVER)
            for name, kind, value, ttl in zip(names, kinds, values, facts[1::2], strict=True)
        }
    )


def _ask(pipe: Any, name: bytes, kind: str) -> None:
    match kind:
        case "hash":
            pipe.hgetall(name)
        case "zset":
            pipe.zrange(name, 0, -1, withscores=True)
        case "list":
            pipe.lrange(name, 0, -1)
        case "set":
            pipe.smembers(name)
        case "stream":
            pipe.xrange(name)
        case _:
            pipe.get(name)


def _plain(kind: str, value: Any) -> Any:
    match kind:
        case "zset":
            return {member.decode(): int(score) for member, score in value}
        case "set":
            return {member.decode() for member in value}
        case "stream":
            return [entry_id for entry_id, _ in value]
        case _:
            return value
