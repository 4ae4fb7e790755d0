"""List and watch of one kind of object in one namespace: what kopf's watching lacks for KubeJobs.

It asks for bookmarks, takes a silent stream for dead, lists again after `410 Gone`, and makes up the
deletions that happened while nobody watched by comparing the list with what was known.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec
import structlog

from bgjobs_core.kube.errors import KubeError, KubeRefusedError, KubeUnreachableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from bgjobs_core.kube.door import Kube

_PAGE: Final = "500"
_SERVER_SECONDS: Final = "300"
_GONE: Final = 410
_MAX_BACK_OFF: Final = 30.0

T = TypeVar("T")
log: Any = structlog.get_logger(__name__)


class Metadata(msgspec.Struct, rename="camel"):
    """The part of an object's metadata that is read."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] = {}
    deletion_timestamp: str | None = None


class _Head(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _ListMeta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    further: str | None = msgspec.field(name="continue", default=None)


class _Page(msgspec.Struct):
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)
    items: list[msgspec.Raw] | None = None


class _Marked(msgspec.Struct, rename="camel"):
    metadata: Metadata = msgspec.field(default_factory=Metadata)
    code: int = 0
    message: str = ""


_head: Final = msgspec.json.Decoder(_Head)
_marked: Final = msgspec.json.Decoder(_Marked)
_page: Final = msgspec.json.Decoder(_Page)


@dataclass(frozen=True)
class Present(Generic[T]):
    """An object is there, as this."""

    item: T


@dataclass(frozen=True)
class Absent(Generic[T]):
    """An object that was there is gone; this is how it was last seen."""

    item: T


@dataclass(frozen=True)
class Listed:
    """A list is complete."""


def _nobody(_: str) -> None:
    """Hears it."""


@dataclass
class ListWatch(Generic[T]):
    """Follows a collection for ever.

    Attributes:
        path: as `/apis/batch/v1/namespaces/shop/jobs`.
        selector: a label selector.
        decode: an object's JSON to the part of it that is of interest.
        uid: of such a part.
        sleep: replaced in tests.
        tell: hears of trouble that lasts, and "" when it goes well again.
    """

    kube: Kube
    path: str
    selector: str
    decode: Callable[[bytes], T]
    uid: Callable[[T], str]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    tell: Callable[[str], None] = _nobody
    _known: dict[str, T] = field(default_factory=dict[str, T])

    async def events(self) -> AsyncGenerator[Present[T] | Absent[T] | Listed, None]:
        """Never ends; trouble is logged and waited out."""
        version, failures = "", 0
        while True:
            try:
                if not version:
                    items, version = await self._list()
                    for item in self._gone(items):
                        yield Absent(item)
                    for item in items.values():
                        yield Present(item)
                    yield Listed()
                silent = True
                async with aclosing(self._watch(version)) as changes:
                    async for kind, item, seen in changes:
                        version, silent, failures = seen, False, self._goes_well(failures)
                        if kind == "DELETED" and item is not None:
                            self._known.pop(self.uid(item), None)
                            yield Absent(item)
                        elif item is not None:
                            self._known[self.uid(item)] = item
                            yield Present(item)
                if silent:  # the server says at least a bookmark before it ends a stream by itself
                    raise KubeUnreachableError(f"watch of {self.path}: it ended without a word")
            except KubeError as error:
                if isinstance(error, KubeRefusedError):
                    version = ""  # too old, or a stream that the server gave up: list again
                expired = isinstance(error, KubeRefusedError) and error.status == _GONE
                failures += 1
                if expired and failures == 1:
                    continue
                self._interrupted(error, failures)
                pause = min(_MAX_BACK_OFF, 0.2 * 2 ** min(failures, 10))
                await self.sleep(pause * random.uniform(0.5, 1))  # noqa: S311

    def _goes_well(self, failures: int) -> int:
        if failures:
            self.tell("")
        return 0

    def _interrupted(self, error: KubeError, failures: int) -> None:
        log.warning("watch interrupted", path=self.path, error=str(error), failures=failures)
        if failures > 1:  # once is nothing: a connection has its end
            self.tell(str(error))

    def _gone(self, items: dict[str, T]) -> list[T]:
        gone = [item for uid, item in self._known.items() if uid not in items]
        self._known = dict(items)
        return gone

    async def _list(self) -> tuple[dict[str, T], str]:
        items: dict[str, T] = {}
        query = {"labelSelector": self.selector, "limit": _PAGE}
        while True:
            page = await self.kube.read("GET", self.path, _page, query=query)
            for entry in page.items or ():
                item = self.decode(bytes(entry))
                items[self.uid(item)] = item
            if not page.metadata.further:
                return items, page.metadata.resource_version
            query["continue"] = page.metadata.further

    async def _watch(self, version: str) -> AsyncGenerator[tuple[str, T | None, str], None]:
        query = {
            "labelSelector": self.selector,
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": _SERVER_SECONDS,
        }
        async with aclosing(self.kube.stream(self.path, query)) as lines:
            async for line in lines:
                try:
                    head = _head.decode(line)
                    marked = _marked.decode(head.object)
                    if head.type == "ERROR":
                        raise KubeRefusedError(marked.code, "WatchError", marked.message)
                    item = None if head.type == "BOOKMARK" else self.decode(bytes(head.object))
                except msgspec.MsgspecError as error:  # a line that was cut off
                    raise KubeUnreachableError(f"watch of {self.path}: {error}: {line[:100]!r}") from error
                yield head.type, item, marked.metadata.resource_version
