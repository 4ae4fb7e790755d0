"""Who leads: one Lease, held by one replica.

The elector of `kubernetes.aio` keeps its task running after a connection error; this one does not: when
the Lease cannot be renewed in time, the leading task is cancelled and awaited before anything else. What
is safe rests on the epoch in Redis, not on this.
"""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs_core.kube.connections import Pool
from bgjobs_core.kube.errors import KubeError, KubeRefusedError
from bgjobs_core.kube.objects import part

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bgjobs_core.kube.door import Kube
    from bgjobs_core.kube.objects import Object

# The annotation of the Lease in which the leader keeps what it remembers of Redis.
NOTE: Final = "bgjobs.dev/redis"
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409

log: Any = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Timing:
    """In seconds: a Lease that is not renewed for `duration` may be taken; the holder ends a `margin` before."""

    duration: float = 15.0
    margin: float = 3.0
    renew: float = 5.0
    retry: float = 2.0


@dataclass(frozen=True)
class Seen:
    """A Lease as last read, and when that was (monotonic): other clocks are not trusted."""

    holder: str
    renewed: str
    since: float


def may_take(seen: Seen, identity: str, now: float, duration: float = Timing.duration) -> bool:
    """Whether the Lease is free for `identity` (`pod/random`).

    A holder of the same pod name is an earlier process of this container: it is dead, or we would not run.
    """
    if not seen.holder or seen.holder.partition("/")[0] == identity.partition("/")[0]:
        return True
    return now - seen.since > duration


class Lease:
    """One Lease object."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        name: str,
        identity: str,
        timing: Timing | None = None,
        tell: Callable[[str], None] = lambda _: None,
        note: Callable[[], str] = lambda: "",
    ) -> None:
        self._kube = kube.by(Pool.LEASE)  # nothing that the others do may delay a renewal
        self._tell = tell  # why it cannot be had, "" when it can
        self._note = note  # what is kept beside it with each renewal; "" to leave what is there
        self.noted = ""  # what was kept beside it when it was last read
        self._timing = timing or Timing()
        self._namespace = namespace
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._name = name
        self._identity = identity
        self._seen = Seen("", "", 0.0)
        self._expires = 0.0  # for us; counted from before the write, so it is never later than for the others

    async def acquire(self) -> None:
        """Wait until we hold it."""
        said = ""
        while True:
            try:
                took = await self._try()
                self._tell("")
                if took:
                    log.info("leading", identity=self._identity)
                    return
                if said != self._seen.holder:
                    said = self._seen.holder
                    log.info("standing by", holder=said)
            except KubeError as error:
                log.warning("lease not read", error=str(error))
                self._tell(str(error))
            await asyncio.sleep(self._timing.retry)

    async def hold(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Run `lead` for as long as the Lease is renewed in time; release it in the end.

        Raises what `lead` raises; returns when the Lease is lost.
        """
        task = asyncio.ensure_future(lead())
        wait = self._timing.renew
        try:
            while True:
                await asyncio.wait({task}, timeout=wait)
                if task.done():
                    break
                if await self._renew():
                    wait = self._timing.renew
                elif self._left() <= 0 or self._taken():
                    log.error("lease lost", identity=self._identity, holder=self._seen.holder)
                    break
                else:
                    wait = min(self._timing.retry, self._left())
        finally:
            lost = not task.done()
            task.cancel()
            await asyncio.wait({task})
            await self._release()
        if not (lost and task.cancelled()):
            task.result()

    def is_ours(self) -> bool:
        """Whether it holds at this moment, whoever has held this process up since it was renewed."""
        return self._left() > 0 and not self._taken()

    def _left(self) -> float:
        """Seconds until we must not lead any more."""
        return self._expires - self._timing.margin - time.monotonic()

    def _taken(self) -> bool:
        return self._seen.holder not in {"", self._identity}

    async def _renew(self) -> bool:
        try:
            async with asyncio.timeout(max(0.0, min(self._timing.renew, self._left()))):
                return await self._try(renewing=True)
        except (KubeError, TimeoutError) as error:
            log.warning("lease not renewed", error=str(error) or "timeout")
            return False

    async def _try(self, *, renewing: bool = False) -> bool:
        """Take or renew it if that is allowed; one read, one write."""
        began = time.monotonic()
        try:
            found = await self._kube.request("GET", f"{self._path}/{self._name}")
        except KubeRefusedError as error:
            if error.status != _NOT_FOUND:
                raise
            found = {}
        spec = part(found, "spec")
        self.noted = str(part(part(found, "metadata"), "annotations").get(NOTE, ""))
        holder, renewed = spec.get("holderIdentity") or "", spec.get("renewTime") or ""
        if (holder, renewed) != (self._seen.holder, self._seen.renewed):
            self._seen = Seen(holder, renewed, time.monotonic())
        if renewing and self._taken():  # even by a process of the same pod name
            return False
        if not may_take(self._seen, self._identity, time.monotonic(), self._timing.duration):
            return False
        try:
            await self._write(found, holder, spec)
        except KubeRefusedError as error:
            if error.status == _CONFLICT:
                return False
            raise
        self._expires = began + self._timing.duration
        return True

    async def _write(self, found: Object, holder: str, spec: dict[str, Any]) -> None:
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        changed = holder != self._identity
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": self._metadata(found),
            "spec": {
                "holderIdentity": self._identity,
                "leaseDurationSeconds": math.ceil(self._timing.duration),
                "acquireTime": now if changed else spec.get("acquireTime", now),
                "renewTime": now,
                "leaseTransitions": spec.get("leaseTransitions", 0) + (1 if changed and holder else 0),
            },
        }
        if found:
            await self._kube.request("PUT", f"{self._path}/{self._name}", body)
        else:
            await self._kube.request("POST", self._path, body)
        self._seen = Seen(self._identity, now, time.monotonic())

    def _metadata(self, found: Object) -> dict[str, Any]:
        metadata: dict[str, Any] = dict(found.get("metadata") or {"name": self._name, "namespace": self._namespace})
        if note := self._note():
            metadata["annotations"] = {**part(metadata, "annotations"), NOTE: note}
        return metadata

    async def _release(self) -> None:
        """So that another replica need not wait; only if it is still ours."""
        try:
            found = await self._kube.request("GET", f"{self._path}/{self._name}")
            if part(found, "spec").get("holderIdentity") == self._identity:
                found["spec"]["holderIdentity"] = ""
                found["metadata"] = self._metadata(found)
                await self._kube.request("PUT", f"{self._path}/{self._name}", found)
        except KubeError as error:
            log.warning("lease not released", error=str(error))
