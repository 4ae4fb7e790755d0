"""Pages as a browser gets them, and a reader of their HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from bgjobs_core.store import keys

if TYPE_CHECKING:
    import httpx2

    from tests.api.world import World

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}


class Document(HTMLParser):
    """The elements of a page, and its words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self._words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self._words.append(data)

    @property
    def text(self) -> str:
        """All of it, with one space between elements and none before a mark."""
        return re.sub(r" ([.,:])(?=\s|$)", r"\1", " ".join(" ".join(self._words).split()))

    def all(self, tag: str, **attributes: str) -> list[dict[str, str]]:
        """Attributes of the elements that have these; `_` stands for `-`, a trailing one for nothing."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return [found for name, found in self.elements if name == tag and wanted.items() <= found.items()]

    @property
    def links(self) -> list[str]:
        return [found.get("href", "") for found in self.all("a")]

    @property
    def rows(self) -> list[str]:
        """Ids of the jobs of a list."""
        return [found["id"].removeprefix("job-") for found in self.all("tr") if "id" in found]


@dataclass(frozen=True)
class Site:
    """What a test has at hand."""

    world: World
    client: Any = field(repr=False)

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.world.call("GET", path, headers=headers)

    async def page(self, path: str) -> Document:
        """A page that must be there."""
        response = await self.get(path)
        assert response.status_code == 200, response.text
        return Document(response.text)

    async def fragment(self, path: str) -> httpx2.Response:
        return await self.get(path, **{"HX-Request": "true"})

    async def post(self, path: str, **fields: str) -> httpx2.Response:
        return await self.world.call("POST", path, headers=FORM, content=urlencode(fields).encode())

    async def set(self, job_id: str, **fields: str) -> None:
        """Write fields of a record that no verb of a short test leads to."""
        await self.client.hset(keys.job(job_id), mapping=fields)
