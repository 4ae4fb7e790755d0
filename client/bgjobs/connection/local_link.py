"""Links that sign a browser in at `bgjobs dev`. Whoever has the token of the server can make one.

The code in a link is signed with the token, so that the server knows it without having been asked for it. It says until
when it is good; that it is used only once is for the server to remember.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final, NamedTuple

PATH: Final = "/local/sign-in"
GOOD_SECONDS: Final = 600


class Code(NamedTuple):
    """What the code of a link says.

    Attributes:
        until: the second since 1970 until which it is good.
        once: what no other code has.
    """

    until: int
    once: str


def new_link(url: str, token: str, now: float) -> str:
    """Make a link to a server.

    Args:
        url: the URL of the server.
        token: of the server.
        now: seconds since 1970.
    """
    said = f"{int(now) + GOOD_SECONDS}.{secrets.token_urlsafe(16)}"
    return f"{url}{PATH}?code={said}.{_signature(said, token)}"


def read_code(code: str, token: str) -> Code | None:
    """Read the code of a link; None if it was not made with this token."""
    said, _, signature = code.rpartition(".")
    if not hmac.compare_digest(_signature(said, token).encode(), signature.encode("utf-8", "replace")):
        return None
    until, _, once = said.partition(".")
    return Code(int(until), once) if until.isdecimal() and once else None


def _signature(said: str, token: str) -> str:
    return hmac.new(token.encode(), b"link " + said.encode("utf-8", "replace"), hashlib.sha256).hexdigest()
