"""Attempts to get in through the proxy, and past it: each is refused, and nothing has changed."""

from __future__ import annotations

import json
import re
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import httpx2
import pytest
from joserfc import jwk, jwt

import installation
from installation import RELEASE, SHOP
from tests.cluster.sign_in import sessions
from tests.cluster.sign_in.attempts import ATTEMPTS, HIDDEN, IDENTITY
from tests.cluster.sign_in.front_door import MILL
from tests.cluster.sign_in.people import by_steps, with_cookie, without_session

if TYPE_CHECKING:
    from collections.abc import Callable

    from bgjobs import JobClient
    from tests.cluster.sign_in.conftest import Jobs
    from tests.cluster.sign_in.front_door import FrontDoor

PATIENCE_SECONDS = 10
_OWN_KEY = jwk.RSAKey.generate_key(2048)


def exchanged(host: str, sent: str) -> bytes:
    """All that is answered until the connection is closed; what was read until then if that takes too long."""
    name, _, port = host.rpartition(":")
    answered = b""
    with socket.create_connection((name, int(port)), timeout=PATIENCE_SECONDS) as connection:
        connection.sendall(sent.encode("latin-1"))
        try:
            while piece := connection.recv(65536):
                answered += piece
        except (ConnectionError, TimeoutError):
            pass
    return answered


def statuses(answered: bytes) -> tuple[int, ...]:
    """Of all answers in it."""
    return tuple(int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answered))


def flipped(text: str, at: int) -> str:
    """With one bit of one character changed, which stays one that a cookie may have."""
    return text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :]


@pytest.fixture
def fill(door: FrontDoor, viewer: str, submitter: str, jobs: Jobs) -> Callable[[str], str]:
    """Puts what is good at this moment into what is sent."""
    ticket, moment, signature = submitter.split("|")
    program = installation.token()
    read: dict[str, float] = {}

    def token_now() -> str:
        """The API takes one for a minute after its time, so one that was renewed just now will do for a while."""
        for token, at in read.items():
            if time.monotonic() - at < 20:
                return token
        with with_cookie(door, submitter) as sam:
            assert sam.get("/oauth2/auth").status_code == 202
        read.clear()
        read[sessions.tokens_of(submitter).id] = time.monotonic()
        return token_now()

    def filled(sent: str) -> str:
        token = token_now()
        words = {
            "host": door.host,
            "shop": jobs.shop_running,
            "mill": jobs.mill_running,
            "viewer": viewer,
            "viewer_seal": viewer.partition("|")[2],
            "submitter": submitter,
            "submitter_cut": submitter[:-1],
            "submitter_ticket": ticket,
            "submitter_ticket_bit": "|".join((flipped(ticket, 30), moment, signature)),
            "submitter_time_bit": "|".join((ticket, flipped(moment, len(moment) - 1), signature)),
            "submitter_signature_bit": "|".join((ticket, moment, flipped(signature, 10))),
            "id": token,
            "program": program,
            "forged": forged(token),
        }
        # A request within a request says its own length, so the inner one is filled first.
        inner = put(HIDDEN, words)
        return put(sent, words | {"hidden": str(len(inner)), "hidden_hex": f"{len(inner):x}"})

    return filled


def put(text: str, words: dict[str, str]) -> str:
    """As `str.format`, for texts that have braces of their own."""
    return re.sub(r"\{(\w+)\}", lambda found: words[found[1]], text)


def forged(token: str) -> str:
    """A token that says the same, made with a key of one's own that has the same name."""
    header, payload = (json.loads(sessions.unpadded(part)) for part in token.split(".")[:2])
    return jwt.encode(header, payload, _OWN_KEY)


def seen_by(client: JobClient) -> list[tuple[str, str, str | None]]:
    """What would tell that an attempt had an effect."""
    return sorted(
        (job.id, str(job.state), job.note) for one in (SHOP, MILL) for job in client.list(namespace=one).items
    )


def test_each_is_refused(door: FrontDoor, fill: Callable[[str], str], client: JobClient) -> None:
    before = seen_by(client)
    found: dict[str, tuple[int, ...]] = {}
    for name, attempt in ATTEMPTS.items():
        answered = exchanged(door.host, fill(attempt.sent))
        found[name] = statuses(answered)
        assert b"shop.jobs" not in answered, name
        if attempt.sent.startswith("CONNECT"):
            continue  # its address is no path, and what is led to is where it wanted to go; nobody is led by that
        for where in re.findall(rb"^Location: (.*)\r$", answered, re.MULTILINE):
            assert where.startswith(f"{door.issuer}/authorize?".encode()) or re.match(rb"/(?![/\\])", where), name
    assert seen_by(client) == before
    print(f"\n{len(ATTEMPTS)} attempts through the proxy")
    unexpected = {
        name: (found[name], one.statuses)
        for name, one in ATTEMPTS.items()
        if found[name] not in {one.statuses, one.quicker or one.statuses}
    }
    assert not unexpected, "\n".join(f"{name}: {was}, not {wanted}" for name, (was, wanted) in unexpected.items())


def test_the_same_by_those_who_may_is_done(door: FrontDoor, submitter: str, client: JobClient) -> None:
    """The attempts fail for the reason that they are about."""
    job = client.enqueue("shop.jobs.Orders", "hold", [600], namespace=MILL, delay=3600)
    with with_cookie(door, submitter) as sam:
        assert sam.get(f"/api/v1/jobs/{job.id}").status_code == 200
        assert sam.post(f"/api/v1/jobs/{job.id}/cancel", headers={"Origin": door.url}).status_code == 202
    assert client.get(job.id).state == "cancelled"


@pytest.mark.parametrize(
    "away",
    [
        "https://evil.example/",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/%09/evil.example",
        "/%5cevil.example",
        "https:evil.example",
        "http:///evil.example",
        "javascript:alert(1)",
        "/jobs/../..//evil.example",
        "https://{host}@evil.example/",
        "https://{host}.evil.example/",
    ],
)
def test_no_way_leads_to_another_site(door: FrontDoor, away: str) -> None:
    """Neither a sign-in nor a sign-out ends elsewhere; by the header that some proxies believe neither."""
    rd = away.replace("{host}", door.host)
    _, landed = by_steps(door, "rosa", begin=f"/oauth2/start?rd={quote(rd, safe='')}")
    with without_session(door) as anybody:
        left = anybody.get("/oauth2/sign_out", params={"rd": rd}).headers["Location"]
        asked = anybody.get("/oauth2/sign_out", headers={"X-Auth-Request-Redirect": rd.strip()}).headers["Location"]
    for where in (landed, left, asked):
        as_a_browser = urlsplit(urljoin(f"{door.url}/", re.sub(r"[\t\r\n]", "", where).replace("\\", "/")))
        assert (as_a_browser.scheme, as_a_browser.netloc) == ("http", door.host), where


def test_the_callback_is_for_the_browser_that_began(door: FrontDoor) -> None:
    """Somebody's answer of the provider does not sign in another one (login CSRF), and not twice."""
    with without_session(door) as one, without_session(door) as other:
        to_provider = one.get("/jobs").headers["Location"]
        back = one.get(f"{to_provider}&user=mallory&groups=millers").headers["Location"]
        assert parse_qs(urlsplit(to_provider).query)["code_challenge_method"] == ["S256"]
        assert other.get(back).status_code == 403
        assert one.get(back).status_code == 302
        assert one.get(back).status_code >= 400
        assert other.get("/api/v1/jobs").status_code == 401


def test_the_proxy_itself_tells_no_token_and_nothing_of_others(door: FrontDoor, viewer: str) -> None:
    with with_cookie(door, viewer) as vera, without_session(door) as anybody:
        said = vera.get("/oauth2/userinfo")
        assert (said.json()["email"], said.json()["groups"]) == ("vera@example.com", ["readers"])
        good = vera.get("/oauth2/auth")
        assert good.status_code == 202
        for answer in (said, good, vera.get("/jobs"), vera.get("/api/v1/jobs")):
            assert "eyJ" not in answer.text
            names = {name.lower() for name in answer.headers}
            assert not [one for one in names if one == "authorization" or one.startswith(("x-auth", "x-forwarded"))]
        for path in ("/ping", "/ready"):  # for the kubelet
            assert (anybody.get(path).status_code, anybody.get(path).text) == (200, "OK")


def test_past_the_proxy_headers_say_nothing(viewer: str, submitter: str, jobs: Jobs, client: JobClient) -> None:
    """Straight to port 8090 of the API."""
    words = {"id": "x.y.z", "program": installation.token(), "forged": forged(sessions.tokens_of(viewer).id)}
    path = f"/api/v1/jobs/{jobs.mill_running}/cancel"
    with (
        installation.api(f"{RELEASE}-api-dashboard") as address,
        httpx2.Client(base_url=address, trust_env=False) as straight,
    ):
        for header in IDENTITY:
            name, _, value = put(header, words).partition(": ")
            answer = straight.post(path, headers={name: value})
            # 503 is for a key that may be a new one, while the provider was asked for its keys just now.
            wanted = {401, 503} if "{program}" in header else {401}
            assert answer.status_code in wanted, header
        everything = dict(put(one, words).split(": ", 1) for one in IDENTITY if "Authorization" not in one)
        assert straight.post(path, headers=everything).status_code == 401
        assert straight.post(path, headers={"Cookie": f"bgjobs={submitter}"}).status_code == 401
        assert straight.get("/jobs", headers=everything).status_code == 401
    assert client.get(jobs.mill_running).state == "launched"


def test_one_token_opens_one_port(address: str, submitter: str, jobs: Jobs) -> None:
    """A person's token is none for programs."""
    token = sessions.tokens_of(submitter).id
    with httpx2.Client(base_url=address, trust_env=False, headers={"Authorization": f"Bearer {token}"}) as programs:
        answers = (
            programs.get(f"/api/v1/jobs/{jobs.mill_running}"),
            programs.post(f"/api/v1/jobs/{jobs.mill_running}/cancel"),
            programs.post(f"/runner/v1/jobs/{jobs.mill_running}/finish"),
        )
        # 503 is for a key that is not known: it may be a new one, and the cluster was asked for its keys just now.
        assert {answer.status_code for answer in answers} <= {401, 503}
        assert programs.get("/jobs").status_code == 404
