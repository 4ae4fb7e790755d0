"""Style, script and icons."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bgjobs_api import pages
from bgjobs_api.pages.shared import assets, states

if TYPE_CHECKING:
    from tests.api.pages.site import Site

FOLDER = Path(pages.__file__).parent


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("bgjobs.css", "text/css; charset=utf-8"),
        ("bgjobs.js", "text/javascript; charset=utf-8"),
        ("icons.svg", "image/svg+xml"),
    ],
)
async def test_a_file_is_kept_for_ever_under_its_hash(site: Site, path: str, media_type: str) -> None:
    """Without a token: a browser sends none with them."""
    response = await site.world.http.get(assets.url(path))
    assert (response.status_code, response.headers["Content-Type"]) == (200, media_type)
    assert response.content == (FOLDER / "static" / path).read_bytes()
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["X-Content-Type-Options"] == "nosniff"


async def test_under_another_hash_nobody_keeps_it(site: Site) -> None:
    """While versions are replaced, a page of one may ask the other for its style."""
    response = await site.world.http.get("/static/0000000000000000/bgjobs.css")
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")


@pytest.mark.parametrize(
    "path", ["nothing.css", "../routes.py", "..%2Froutes.py", "vendor", "", "vendor/LICENSE.django-htmx"]
)
async def test_nothing_else_is_served(site: Site, path: str) -> None:
    assert (await site.world.http.get(f"/static/x/{path}")).status_code == 404


async def test_pages_load_what_is_there(site: Site) -> None:
    page = await site.page("/jobs")
    sources = [found["src"] for found in page.all("script")] + [found["href"] for found in page.all("link")]
    assert len(sources) == 3 + assets.has(assets.HTMX)
    for source in sources:
        assert (await site.world.http.get(source)).headers["Cache-Control"].endswith("immutable")


def test_every_icon_that_is_used_is_in_the_sprite() -> None:
    sprite = set(re.findall(r'<symbol id="(\w+)"', (FOLDER / "static/icons.svg").read_text()))
    used = {states.named(name).icon for name in states.NAMES}
    for template in (FOLDER / "templates").glob("*.html"):
        text = template.read_text()
        used |= set(re.findall(r"icon\('(\w+)'", text)) | set(re.findall(r"#(\w+)\"/></svg>", text))
    assert used <= sprite


def test_every_state_has_its_colour() -> None:
    style = (FOLDER / "static/bgjobs.css").read_text()
    coloured = set(re.findall(r'\[data-state="(\w+)"\] \{ --state', style))
    assert {states.named(name).tone for name in states.NAMES} <= coloured


def test_the_style_loads_nothing_from_elsewhere() -> None:
    style = (FOLDER / "static/bgjobs.css").read_text()
    assert "@import" not in style
    assert "url(" not in style
