"""Style, script and icons, under URLs that change with their content, so that browsers may keep them for ever."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from fastapi import APIRouter, Response
from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

PREFIX: Final = "/static"
HTMX: Final = "vendor/htmx.min.js"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Asset:
    """A file that browsers get."""

    content: bytes
    media_type: str
    digest: str


@cache
def assets() -> dict[str, Asset]:
    """All of them by their path; files of other kinds are not served."""
    found: dict[str, Asset] = {}
    _collect(resources.files("bgjobs_api.pages") / "static", "", found)
    return found


def _collect(folder: Traversable, prefix: str, found: dict[str, Asset]) -> None:
    for entry in folder.iterdir():
        path = f"{prefix}{entry.name}"
        if entry.is_dir():
            _collect(entry, f"{path}/", found)
        elif media_type := _TYPES.get(f".{entry.name.rpartition('.')[2]}"):
            content = entry.read_bytes()
            found[path] = Asset(content, media_type, hashlib.sha256(content).hexdigest()[:16])


def has(path: str) -> bool:
    """Whether there is such a file: without the vendored ones the pages stand still, but are complete."""
    return path in assets()


def url(path: str) -> str:
    """Of a file, with the hash of its content."""
    return f"{PREFIX}/{assets()[path].digest}/{path}"


@router.get("/static/{digest}/{path:path}")
async def static_file(digest: str, path: str) -> Response:
    """A file; one asked for with the hash of another version is the present one, which nobody may keep."""
    asset = assets().get(path)
    if asset is None:
        raise HTTPException(404, f"there is no file {path}")
    keep = "public, max-age=31536000, immutable" if digest == asset.digest else "no-store"
    headers = {"Cache-Control": keep, "X-Content-Type-Options": "nosniff"}
    return Response(asset.content, media_type=asset.media_type, headers=headers)
