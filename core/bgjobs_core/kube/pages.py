"""Lists, read page by page: memory for one page, whatever there is to list and whoever has made it.

A page is measured in bytes, not in objects: 500 requests may be 300 KiB or 128 MiB. An object that cannot be read costs
itself: it is left out and told of, and the list goes on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec
import structlog

from bgjobs_core.kube.connections import Pool
from bgjobs_core.kube.errors import KubeRefusedError, KubeTooLargeError, KubeUnreachableError, KubeUnreadableError
from bgjobs_core.kube.reading import decoded
from bgjobs_core.kube.text import cleaned

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

    from bgjobs_core.kube.door import Kube

PAGE_BYTES: Final = 2**21
FIRST: Final = 10  # objects of a first page, of which nothing is known: 2.5 MiB at 256 KiB each
MOST: Final = 500
_GONE: Final = 410
_MAX_NAME: Final = 253
# The server leaves spec and status out, so that what cannot be read has a name at least.
LIST_OF_METADATA: Final = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}

T = TypeVar("T")
log: Any = structlog.get_logger(__name__)


class _Meta(msgspec.Struct, rename="camel"):
    resource_version: str = ""
    further: str | None = msgspec.field(name="continue", default=None)


class _Items(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)
    items: list[msgspec.Raw] | None = None


class _Named(msgspec.Struct):
    name: str = ""
    uid: str = ""


class _Head(msgspec.Struct):
    metadata: _Named = msgspec.field(default_factory=_Named)


_items: Final = msgspec.json.Decoder(_Items)
_head: Final = msgspec.json.Decoder(_Head)


@dataclass(frozen=True)
class Unreadable:
    """An object that is there, and cannot be read.

    Attributes:
        name: "" if not even that can be read.
        uid: the same.
        why: in words.
    """

    name: str
    uid: str
    why: str


@dataclass(frozen=True)
class Page(Generic[T]):
    """A part of a list.

    Attributes:
        version: the list's resourceVersion.
        items: in the server's order.
        unreadable: what is left out.
    """

    version: str
    items: list[T]
    unreadable: list[Unreadable]


def next_size(size: int, objects: int, taken: int) -> int:
    """How many objects to ask for next.

    Args:
        size: how many were asked for.
        objects: how many came.
        taken: bytes of the answer.
    """
    fits = PAGE_BYTES * max(objects, 1) // max(taken, 1)
    return max(1, min(MOST, 2 * size, fits))


def read_item(raw: msgspec.Raw | bytes, decode: Callable[[msgspec.Raw | bytes], T], path: str) -> T | Unreadable:
    """An object of a list or a watch; never an error: what comes with it must not suffer from it."""
    try:
        return decoded(raw, decode, path)
    except KubeUnreachableError as error:
        return unreadable(raw, str(error), path)


def unreadable(raw: msgspec.Raw | bytes, why: str, path: str) -> Unreadable:
    """What can be told of an object that cannot be read; it is logged, too."""
    try:
        named = decoded(raw, _head.decode, path).metadata
    except KubeUnreachableError:
        named = _Named()
    found = Unreadable(cleaned(named.name, _MAX_NAME), named.uid, why)
    log.warning("an object cannot be read", path=path, name=found.name, uid=found.uid, why=why)
    return found


async def pages(
    kube: Kube,
    path: str,
    decode: Callable[[msgspec.Raw | bytes], T],
    query: Mapping[str, str] | None = None,
    *,
    at_one_time: bool = False,
) -> AsyncGenerator[Page[T], None]:
    """Read a collection page by page; nothing of a page is held when the next one is asked for.

    It takes connections and memory apart from other calls.

    Args:
        kube: the connection.
        path: of the collection, as `/apis/batch/v1/namespaces/shop/jobs`.
        decode: an object's JSON to the part of it that is of interest; raises msgspec.MsgspecError.
        query: selectors.
        at_one_time: the list must be as things were at one time, its `version`. Without, a list that lasts so long that
            the server forgets that time is gone on with as things are then.

    Raises:
        KubeRefusedError: a page cannot be had; with status 410 if the server has forgotten.
        KubeUnreachableError: a page cannot be had.
    """
    reader = _Reader(kube.by(Pool.PAGES), path, decode, dict(query or {}))
    further: str | None = ""
    while further is not None:
        try:
            page, further = await reader.page(further)
        except KubeRefusedError as error:
            if at_one_time or error.status != _GONE or not error.further or error.further == further:
                raise
            further = error.further
            continue
        yield page
        del page


class _Reader(Generic[T]):
    def __init__(
        self, kube: Kube, path: str, decode: Callable[[msgspec.Raw | bytes], T], query: dict[str, str]
    ) -> None:
        self._kube = kube
        self._path = path
        self._decode = decode
        self._query = query
        self._size = FIRST

    async def page(self, further: str) -> tuple[Page[T], str | None]:
        """A page, and where the next one begins; None after the last one."""
        while True:
            try:
                return await self._page(further)
            except KubeTooLargeError:
                if self._size == 1:
                    return await self._names(further)
                self._size = max(1, self._size // 8)
            except KubeUnreadableError:  # something in it that even leaving out is not possible for
                if self._size == 1:
                    return await self._names(further)
                self._size = 1

    async def _page(self, further: str) -> tuple[Page[T], str | None]:
        raw = await self._ask(further, {})
        found = self._split(raw)
        entries = found.items or []
        page = Page[T](found.metadata.resource_version, [], [])
        for entry in entries:
            item = read_item(entry, self._decode, self._path)
            if isinstance(item, Unreadable):
                page.unreadable.append(item)
            else:
                page.items.append(item)
        self._size = next_size(self._size, len(entries), len(raw))
        return page, found.metadata.further or None

    def _split(self, raw: bytes) -> _Items:
        call = f"GET {self._path}"
        try:
            return _items.decode(raw)
        except (msgspec.MsgspecError, RecursionError) as error:
            if self._size > 1:
                raise KubeUnreadableError(f"{call}: {error}") from error
        return decoded(raw, _items.decode, call)

    async def _names(self, further: str) -> tuple[Page[T], str | None]:
        """In place of the one object that a page cannot be had of."""
        raw = await self._ask(further, LIST_OF_METADATA)
        found = decoded(raw, _items.decode, f"GET {self._path}")
        left_out = [
            unreadable(entry, "it is too large, or nested too deeply", self._path) for entry in found.items or ()
        ]
        return Page(found.metadata.resource_version, [], left_out), found.metadata.further or None

    async def _ask(self, further: str, headers: Mapping[str, str]) -> bytes:
        query = {**self._query, "limit": str(self._size), **({"continue": further} if further else {})}
        raw, _ = await self._kube.answer("GET", self._path, query=query, headers=headers)
        return raw
