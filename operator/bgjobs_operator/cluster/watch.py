"""List and watch of one kind of object in one namespace: what kopf's watching lacks for KubeJobs and requests.

It asks for bookmarks, takes a silent stream for dead, lists again after `410 Gone`, and makes up the
deletions that happened while nobody watched by comparing the list with what was known. An object that cannot be read
costs itself: it is told of in the log, and everything else goes on.
"""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec
import structlog

from bgjobs_core.kube.connections import Pool
from bgjobs_core.kube.errors import KubeError, KubeRefusedError, KubeUnreachableError, KubeUnreadableError
from bgjobs_core.kube.pages import Unreadable, pages, read_item, unreadable
from bgjobs_core.kube.reading import decoded

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from bgjobs_core.kube.door import Kube

_SERVER_SECONDS: Final = "300"
_GONE: Final = 410
_MAX_BACK_OFF: Final = 30.0
_OF_A_WATCH: Final = re.compile(rb'{\s*"type"\s*:\s*"(ADDED|MODIFIED|DELETED)"')

T = TypeVar("T")
log: Any = structlog.get_logger(__name__)


class Metadata(msgspec.Struct, rename="camel"):
    """The part of an object's metadata that is read."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    labels: dict[str, str] | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None


class _Head(msgspec.Struct):
    type: str
    object: msgspec.Raw


class _Version(msgspec.Struct, rename="camel"):
    resource_version: str = ""


class _Marked(msgspec.Struct):
    metadata: _Version = msgspec.field(default_factory=_Version)


class _Status(msgspec.Struct):
    code: int = 0
    message: str = ""


_head: Final = msgspec.json.Decoder(_Head)
_marked: Final = msgspec.json.Decoder(_Marked)
_status: Final = msgspec.json.Decoder(_Status)


@dataclass(frozen=True)
class Present(Generic[T]):
    """An object is there, as this.

    Attributes:
        changed: it was there before, too, in another form.
    """

    item: T
    changed: bool = False


@dataclass(frozen=True)
class Absent(Generic[T]):
    """An object that was there is gone; this is how it was last seen."""

    item: T


@dataclass(frozen=True)
class Listed:
    """A list is complete."""


def _nobody(_: str) -> None:
    """Hears it."""


class _Change(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """A line of a watch; `item` is None where there is none, or none that can be read (then `uid` may say which)."""

    kind: str
    item: T | None
    version: str
    uid: str = ""


@dataclass
class ListWatch(Generic[T]):
    """Follows a collection for ever.

    Attributes:
        path: as `/apis/batch/v1/namespaces/shop/jobs`.
        selector: a label selector; "" for everything.
        decode: an object's JSON to the part of it that is of interest; raises msgspec.MsgspecError.
        uid: of such a part.
        sleep: replaced in tests.
        tell: hears of trouble that lasts, and "" when it goes well again.
        lists: False: it begins with what changes from now on, and remembers nothing. `Listed` says then that from here
            on nothing is missed, and that something may have been before.
        at_one_go: reads a whole line that says of an object that it was added, modified or deleted: which of that, its
            version, and what `decode` makes of the object; raises msgspec.MsgspecError for any other line. Each part of
            a line has it read through otherwise, and managedFields are most of it. None: there is no such thing.
        headers: of the watch, for example what form of the objects is wanted.
        list_headers: the same of the request for the list before it, whose form has another name.
    """

    kube: Kube
    path: str
    selector: str
    decode: Callable[[bytes | msgspec.Raw], T]
    uid: Callable[[T], str]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    tell: Callable[[str], None] = _nobody
    lists: bool = True
    at_one_go: Callable[[bytes], tuple[str, str, T]] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    list_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    _known: dict[str, T] = field(default_factory=dict[str, T])

    async def events(self) -> AsyncGenerator[Present[T] | Absent[T] | Listed, None]:
        """Never ends; trouble is logged and waited out."""
        version, failures = "", 0
        while True:
            try:
                if not version:
                    items, version = await self._begin()
                    for item in self._gone(items):
                        yield Absent(item)
                    for item in items.values():
                        yield Present(item)
                    yield Listed()
                silent = True
                async with aclosing(self._watch(version)) as pieces:
                    async for lines in pieces:
                        for line in lines:
                            change = self._change(line)
                            version, silent, failures = change.version or version, False, self._goes_well(failures)
                            if event := self._take_in(change):
                                yield event
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

    def _take_in(self, change: _Change[T]) -> Present[T] | Absent[T] | None:
        if change.kind == "DELETED":
            uid = change.uid if change.item is None else self.uid(change.item)
            before = self._known.pop(uid, None)
            last = before if change.item is None else change.item
            return None if last is None else Absent(last)
        if change.item is None:
            return None
        if self.lists:
            self._known[self.uid(change.item)] = change.item
        return Present(change.item, changed=change.kind == "MODIFIED")

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

    async def _begin(self) -> tuple[dict[str, T], str]:
        if not self.lists:
            return {}, await self._version()
        items, version = dict[str, T](), ""
        query = {"labelSelector": self.selector}
        async with aclosing(pages(self.kube, self.path, self.decode, query, at_one_time=True)) as found:
            async for page in found:
                version = page.version
                for item in page.items:
                    uid = self.uid(item)
                    before = self._known.get(uid)
                    items[uid] = item if before != item or before is None else before  # one copy in memory
                for one in page.unreadable:  # it is there, as it was when it could be read
                    if one.uid in self._known:
                        items[one.uid] = self._known[one.uid]
        return items, version

    async def _version(self) -> str:
        kube = self.kube.by(Pool.PAGES)
        raw, _ = await kube.answer("GET", self.path, query={"limit": "1"}, headers=self.list_headers)
        return decoded(raw, _marked.decode, f"GET {self.path}").metadata.resource_version

    def _watch(self, version: str) -> AsyncGenerator[list[bytes], None]:
        query = {
            **({"labelSelector": self.selector} if self.selector else {}),
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": _SERVER_SECONDS,
        }
        return self.kube.stream(self.path, query, self.headers)

    def _change(self, line: bytes) -> _Change[T]:
        """Read a line; it raises KubeUnreachableError if it was cut off, and KubeRefusedError if it is an error."""
        if self.at_one_go is not None:
            try:
                kind, version, item = self.at_one_go(line)
            except (msgspec.MsgspecError, RecursionError):
                pass  # it is read part by part, and so is whatever is no change of an object
            else:
                return _Change(kind, item, version)
        call = f"watch of {self.path}"
        try:
            head = decoded(line, _head.decode, call)
        except KubeUnreadableError as error:
            if not _OF_A_WATCH.match(line):
                raise  # JSON, but of somebody else
            unreadable(line, str(error), self.path)
            return _Change("", None, "")
        if head.type == "ERROR":
            said = decoded(head.object, _status.decode, call)
            raise KubeRefusedError(said.code, "WatchError", said.message)
        try:
            version = decoded(head.object, _marked.decode, call).metadata.resource_version
        except KubeUnreadableError:
            version = ""
        if head.type == "BOOKMARK":
            return _Change(head.type, None, version)
        item = read_item(head.object, self.decode, self.path)
        if isinstance(item, Unreadable):
            return _Change(head.type, None, version, item.uid)
        return _Change(head.type, item, version)
