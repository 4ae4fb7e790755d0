"""The way to and from the proxy in front that signs people in: oauth2-proxy's own addresses.

Signing out is a link and no form: the proxy may send on to the identity provider, whither the pages' CSP lets no
form go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from fastapi import Request

SIGNED_OUT: Final = "/signed-out"  # the proxy lets everybody see it
SIGN_OUT: Final = f"/oauth2/sign_out?rd={quote(SIGNED_OUT, safe='')}"
_START: Final = "/oauth2/start?rd="
_HOME: Final = "/jobs"


def start_url(request: Request) -> str:
    """Where one signs in, to come back to what was asked for."""
    # Not request.url: that believes the Host header.
    query = request.scope["query_string"].decode("latin-1")
    return _START + quote(way_back(request.method, request.scope["path"], query), safe="")


def way_back(method: str, path: str, query: str) -> str:
    """A path of this site that can be looked at, as one that was asked for.

    Args:
        method: as `GET`: what was asked for by another is not done again by looking at it.
        path: decoded.
        query: as sent.
    """
    # Browsers take `//host`, `/\host` and `/<tab>/host` for other sites.
    is_ours = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    if method != "GET" or not is_ours or path.startswith("/oauth2/") or path == SIGNED_OUT:
        return _HOME
    return quote(path) + (f"?{query}" if query.isprintable() and query else "")
