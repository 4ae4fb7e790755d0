"""Attempts to get in through the proxy: what is sent, byte by byte, and what has to be answered.

In what is sent, `{host}` is the front door; `{shop}` and `{mill}` are running jobs there; `{viewer}` is the cookie of
somebody who may look at the shop, `{submitter}` that of somebody who may do everything in the mill; `{id}` is the
latter's ID token, good at this moment; `{program}` is a ServiceAccount's token, good for the port of programs, with
the right to cancel all these jobs; `{forged}` is an ID token that says the same and is signed with another key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CANCEL_SHOP: Final = "/api/v1/jobs/{shop}/cancel"
CANCEL_MILL: Final = "/api/v1/jobs/{mill}/cancel"
VIEWER: Final = "Cookie: bgjobs={viewer}"
SUBMITTER: Final = "Cookie: bgjobs={submitter}"
IDENTITY: Final = (
    "X-Forwarded-User: sam@example.com",
    "X-Forwarded-Email: sam@example.com",
    "X-Forwarded-Preferred-Username: sam",
    "X-Forwarded-Groups: system:masters,millers",
    "X-Forwarded-Access-Token: {id}",
    "X-Auth-Request-User: sam@example.com",
    "X-Auth-Request-Email: sam@example.com",
    "X-Auth-Request-Groups: millers",
    "X-Auth-Request-Access-Token: {id}",
    "X-Remote-User: system:admin",
    "X-Remote-Group: system:masters",
    "Impersonate-User: system:admin",
    "Impersonate-Group: system:masters",
    "Authorization: Bearer {id}",
    "Authorization: Bearer {program}",
    "Authorization: Bearer {forged}",
    "Authorization: Basic c2FtOnNhbQ==",
    "Authorization: bearer {id}",
    "Proxy-Authorization: Bearer {id}",
    "Gap-Auth: sam@example.com",
    "X-Id-Token: {id}",
)


@dataclass(frozen=True)
class Attempt:
    """One.

    Attributes:
        sent: the bytes, in Latin-1.
        statuses: of all that is answered before the connection is closed.
        quicker: the same, if the API is quicker than the proxy: it answers before the body is there.
    """

    sent: str
    statuses: tuple[int, ...]
    quicker: tuple[int, ...] = ()


def get(path: str, *headers: str, method: str = "GET", version: str = "1.1") -> str:
    """A request that is the last of its connection."""
    lines = [f"{method} {path} HTTP/{version}", "Host: {host}", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines)


def post(path: str, *headers: str) -> str:
    """One without a body."""
    return get(path, *headers, "Content-Length: 0", method="POST")


def kept_open(request: str) -> str:
    """The same, with more to come on its connection."""
    return request.replace("Connection: close\r\n", "")


# What would cancel a job if the API took it for a request: it has a good ID token, which no browser ever sees.
HIDDEN: Final = post(CANCEL_MILL, "Authorization: Bearer {id}")

# The inner one is a request of its own, as all see it, and comes without a session.
REFUSED_APART: Final = (403, 401)

# 301 is the proxy's answer to a path that can be written shorter, before it asks anybody.
_OF_RUNNERS: Final = {
    "/runner/v1/jobs/{mill}/start": 404,
    "/runner/v1/jobs/{mill}/finish": 404,
    "/RUNNER/v1/jobs/{mill}/finish": 404,
    "//runner/v1/jobs/{mill}/finish": 301,
    "/jobs/..%2frunner/v1/jobs/{mill}/finish": 301,
    "http://{host}/runner/v1/jobs/{mill}/finish": 400,  # handed on as it is; the API takes no whole address for a path
}

_ATTEMPTS: dict[str, tuple[str, tuple[int, ...]]] = {
    # Saying who one is, without a session and with that of somebody who may not.
    **{f"without a session: {one}": (post(CANCEL_MILL, one), (401,)) for one in IDENTITY},
    **{f"a viewer: {one}": (post(CANCEL_MILL, VIEWER, one), (403,)) for one in IDENTITY},
    **{f"a page without a session: {one}": (get("/jobs/{mill}", one), (302,)) for one in IDENTITY},
    "two Authorization without a session": (
        post(CANCEL_MILL, "Authorization: Bearer {id}", "Authorization: Bearer {id}"),
        (401,),
    ),
    "two Authorization with a session": (
        post(CANCEL_MILL, VIEWER, "Authorization: Bearer {id}", "Authorization: Bearer {program}"),
        (403,),
    ),
    "Authorization taken off on the way": (
        post(CANCEL_MILL, VIEWER, "Authorization: Bearer {id}", "Connection: Authorization"),
        (401,),
    ),
    "a header that is folded": (post(CANCEL_MILL, VIEWER, "X: y", " Authorization: Bearer {id}"), (403,)),
    "a header with an underscore": (post(CANCEL_MILL, VIEWER, "X_Forwarded_User: sam@example.com"), (403,)),
    "a header with a space before its colon": (post(CANCEL_MILL, VIEWER, "Authorization : Bearer {id}"), (400,)),
    "a header with a bare carriage return": (post(CANCEL_MILL, VIEWER, "X: y\rAuthorization: Bearer {id}"), (400,)),
    "a header with NUL": (post(CANCEL_MILL, VIEWER, "Authorization: Bearer {id}\0"), (400,)),
    # Cookies.
    **{
        f"cookie: {name}": (post(CANCEL_MILL, f"Cookie: {cookie}"), (401,))
        for name, cookie in {
            "of another application": "bgjobs=djIuZm9yZWlnbg==|1795775612|c2lnbmF0dXJl",
            "cut at its end": "bgjobs={submitter_cut}",
            "one bit of the ticket is another": "bgjobs={submitter_ticket_bit}",
            "one bit of the time is another": "bgjobs={submitter_time_bit}",
            "one bit of the signature is another": "bgjobs={submitter_signature_bit}",
            "a ticket without a signature": "bgjobs={submitter_ticket}",
            "a ticket with the signature of another": "bgjobs={submitter_ticket}|{viewer_seal}",
            "under the name for https": "__Host-bgjobs={submitter}",
            "under another name": "bgjobs_0={submitter}",
            "in quotes that do not end": 'bgjobs="{submitter}',
            "a token in its place": "bgjobs={id}",
            "empty": "bgjobs=",
        }.items()
    },
    "two cookies, the first of a viewer": (post(CANCEL_MILL, "Cookie: bgjobs={viewer}; bgjobs={submitter}"), (403,)),
    # For another site's page: the submitter may, the page may not.
    **{
        f"cross-site: {header}": (post(path, SUBMITTER, header), (403,))
        for path in (CANCEL_MILL, "/jobs/{mill}/cancel")
        for header in (
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Site: same-site",
            "Origin: https://evil.example",
            "Origin: null",
            "Origin: http://{host}.evil.example",
            "Origin: http://localhost",
        )
    },
    "cross-site with a host of its choice": (
        post(CANCEL_MILL, SUBMITTER, "Origin: https://evil.example", "X-Forwarded-Host: evil.example"),
        (403,),
    ),
    "cross-site as another method": (
        post(CANCEL_MILL, SUBMITTER, "Origin: https://evil.example", "X-HTTP-Method-Override: GET"),
        (403,),
    ),
    "a read that is a write": (get(CANCEL_MILL, SUBMITTER, "X-HTTP-Method-Override: POST"), (405,)),
    # Around what asks for a session.
    **{
        f"path without a session: {path}": (get(path), (status,))
        for path, status in {
            "/api/v1/jobs": 401,
            "/api/v1/jobs/{mill}": 401,
            "//api/v1/jobs": 301,
            "/./api/v1/jobs": 301,
            "/%2e/api/v1/jobs": 302,
            "/oauth2/../api/v1/jobs": 301,
            "/oauth2/..%2fapi/v1/jobs": 302,
            "/oauth2/%2e%2e/api/v1/jobs": 302,
            "/oauth2/static/../../api/v1/jobs": 301,
            "/oauth2/static/..%2f..%2fapi/v1/jobs": 404,
            "/ping/../api/v1/jobs": 301,
            "/ready/api/v1/jobs": 302,
            "/ready%2f..%2fapi/v1/jobs": 302,
            "/ping;/api/v1/jobs": 302,
            "/robots.txt/../api/v1/jobs": 301,
            "/static/..%2fapi/v1/jobs": 401,
            "/\\api/v1/jobs": 302,
            "\\api/v1/jobs": 400,
            "http://{host}/api/v1/jobs": 401,
            "http://bgjobs-api.bgjobs.svc/api/v1/jobs": 401,
            "http://10.96.0.1:443/api": 302,
            "/healthz": 302,
            "/readyz": 302,
            "/metrics": 302,
            "/oauth2/auth": 401,
            "/oauth2/userinfo": 401,
            "/oauth2/callback": 500,
            "/oauth2/callback?code=x&state=y:/jobs": 403,
            "*": 301,
        }.items()
    },
    **{
        f"of the runners, with a session: {path}": (post(path, SUBMITTER, "Authorization: Bearer {program}"), (status,))
        for path, status in _OF_RUNNERS.items()
    },
    **{
        f"of the runners: {path}": (
            post(path, "Authorization: Bearer {program}"),
            (301 if path.startswith("//") else 302,),
        )
        for path in _OF_RUNNERS
    },
    **{
        f"path with a session: {path}": (get(path, VIEWER), (status,))
        for path, status in {
            "/metrics": 404,
            "/docs": 404,
            "/api/openapi.json": 404,
            "/jobs/{mill}": 403,
            "//jobs/{mill}": 301,
            "/jobs/%2e%2e/jobs/{mill}": 301,
            "/jobs/{shop}/../{mill}": 301,
            "/jobs/{shop}%2f..%2f{mill}": 301,
            "/static/../jobs/{mill}": 301,
            "/static/x/..%2f..%2fsettings.py": 301,
            "/api/v1/jobs?namespace=shop&namespace=mill": 403,
            "/oauth2/../api/v1/jobs/{mill}": 301,
        }.items()
    },
    "another host by CONNECT": (get("bgjobs-redis.bgjobs:6379", method="CONNECT"), (301,)),
    "TRACE": (get("/api/v1/jobs", SUBMITTER, method="TRACE"), (405,)),
    "a websocket": (
        get("/api/v1/jobs/{mill}", VIEWER, "Upgrade: websocket", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13"),
        (403,),
    ),
    "HTTP/2 in clear": (get("/api/v1/jobs/{mill}", VIEWER, "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"), (403,)),
    "HTTP/2 without a word": ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", (301,)),
    "HTTP/1.0": (f"POST {CANCEL_MILL} HTTP/1.0\r\nX-Remote-User: system:admin\r\n\r\n", (401,)),
    "HTTP/0.9": ("GET /api/v1/jobs\r\n\r\n", (400,)),
    "no host": (f"POST {CANCEL_MILL} HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", (400,)),
    "two hosts": (post(CANCEL_MILL, SUBMITTER, "Host: localhost"), (400,)),
    # A request inside another: the outer one is the viewer's and is refused, the inner one must be nobody's.
    "chunks": (
        kept_open(get(CANCEL_SHOP, VIEWER, "Transfer-Encoding: chunked", method="POST")) + "0\r\n\r\n" + HIDDEN,
        REFUSED_APART,
    ),
    "length and chunks": (
        kept_open(get(CANCEL_SHOP, VIEWER, "Transfer-Encoding: chunked", "Content-Length: 6", method="POST"))
        + "0\r\n\r\n"
        + HIDDEN,
        REFUSED_APART,
    ),
    "length that covers what the chunks do not": (
        kept_open(get(CANCEL_SHOP, VIEWER, "Content-Length: {hidden}", "Transfer-Encoding: chunked", method="POST"))
        + "0\r\n\r\n"
        + HIDDEN,
        REFUSED_APART,
    ),
    "chunk that covers a request": (
        get(CANCEL_SHOP, VIEWER, "Transfer-Encoding: chunked", method="POST")
        + "{hidden_hex}\r\n"
        + HIDDEN
        + "\r\n0\r\n\r\n",
        (403,),
    ),
    "body that is a request": (get(CANCEL_SHOP, VIEWER, "Content-Length: {hidden}", method="POST") + HIDDEN, (403,)),
    "read with a body that is a request": (get("/jobs/{mill}", VIEWER, "Content-Length: {hidden}") + HIDDEN, (403,)),
    **{
        f"encoding: {name}": (
            kept_open(get(CANCEL_SHOP, VIEWER, *headers, method="POST")) + "0\r\n\r\n" + HIDDEN,
            statuses,
        )
        for name, headers, statuses in (
            ("xchunked", ("Transfer-Encoding: xchunked",), (501,)),
            ("chunked, identity", ("Transfer-Encoding: chunked, identity",), (501,)),
            ("identity, chunked", ("Transfer-Encoding: identity, chunked",), (501,)),
            ("twice", ("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), (501,)),
            ("twice, another one last", ("Transfer-Encoding: chunked", "Transfer-Encoding: x"), (501,)),
            ("a space before the colon", ("Transfer-Encoding : chunked", "Content-Length: 5"), (400,)),
            ("a tab", ("Transfer-Encoding:\x0bchunked", "Content-Length: 5"), (400,)),
            ("a new line in it", ("Transfer-Encoding:\n chunked", "Content-Length: 5"), REFUSED_APART),
            ("two lengths", ("Content-Length: 5", "Content-Length: 6"), (400,)),
            ("two lengths in one", ("Content-Length: 5, 5",), (400,)),
            ("a length with a sign", ("Content-Length: +5",), (400,)),
            ("a length in hexadecimal", ("Content-Length: 0x5",), (400,)),
        )
    },
    **{
        f"chunk: {name}": (
            get(CANCEL_SHOP, VIEWER, "Transfer-Encoding: chunked", method="POST") + chunks + HIDDEN,
            statuses,
        )
        for name, chunks, statuses in (
            ("an extension with a bare line end", "2;\nxx\r\n50\r\n0\r\n\r\n", (502,)),
            ("an extension", "2;x=y\r\n{}\r\n0\r\n\r\n", (403,)),
            ("a bare line end", "2\n{}\n0\n\n", (502,)),
            ("a size with a sign", "+2\r\n{}\r\n0\r\n\r\n", (502,)),
            ("a size with 0x", "0x2\r\n{}\r\n0\r\n\r\n", (502,)),
            ("a size beyond all", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n", (502,)),
            ("a trailer that says who one is", "2\r\n{}\r\n0\r\nAuthorization: Bearer {id}\r\n\r\n", (403,)),
        )
    },
    "bare line ends": (get(CANCEL_MILL, VIEWER, "Content-Length: 0", method="POST").replace("\r\n", "\n"), (403,)),
}

_NO_GATEWAY: Final = (502,)
_REFUSED: Final = (403,)
ATTEMPTS: Final = {
    name: Attempt(sent, statuses, _REFUSED if statuses == _NO_GATEWAY else ())
    for name, (sent, statuses) in _ATTEMPTS.items()
}
