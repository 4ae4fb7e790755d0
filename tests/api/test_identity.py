"""Tokens: who is let in, and everybody else."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from joserfc import jwk

from bgjobs_api.clock import Moment
from bgjobs_api.identity.errors import KeysUnavailableError, UnauthenticatedError, UnknownKeyError
from bgjobs_api.identity.issuer_keys import IssuerKeys, KeyRing
from bgjobs_api.identity.service_accounts import ServiceAccountTokens, fetch_keys, read_keys, verify
from bgjobs_core.kube.errors import KubeUnreachableError
from tests.api.tokens import ISSUER, Cluster, claims, new_key, sign
from tests.api.world import NOW

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from bgjobs_core.kube.door import Kube
    from tests.api.world import World

KEY = new_key("key-1")
EC_KEY = new_key("key-2", "EC")
FOREIGN_KEY = new_key("key-1")  # of somebody else, under the same name
OTHER_KEY = new_key("key-9")
KNOWN = read_keys(*Cluster([KEY, EC_KEY]).documents())


def b64(data: bytes | str) -> str:
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else data.encode()).rstrip(b"=").decode()


def raw(header: dict[str, Any] | str, payload: dict[str, Any] | str, signature: bytes = b"") -> str:
    """A token as somebody would put it together by hand."""
    parts = [part if isinstance(part, str) else json.dumps(part) for part in (header, payload)]
    return ".".join([*map(b64, parts), b64(signature)])


def hs256_with_the_public_key() -> str:
    """The classic: the published key as the secret of a symmetric signature."""
    pem = cast("Any", KEY).as_pem(private=False)
    signed = f"{b64(json.dumps({'alg': 'HS256', 'kid': 'key-1'}))}.{b64(json.dumps(claims()))}"
    return f"{signed}.{b64(hmac.new(pem, signed.encode(), hashlib.sha256).digest())}"


def tampered() -> str:
    header, _, signature = sign(KEY, claims()).split(".")
    return f"{header}.{b64(json.dumps(claims(sub='system:serviceaccount:kube-system:admin')))}.{signature}"


def bound(**changes: Any) -> dict[str, Any]:
    """The claim kubernetes.io with changes."""
    return {**claims()["kubernetes.io"], **changes}


def signed(**changes: Any) -> Callable[[], str]:
    return lambda: sign(KEY, claims(**changes))


REFUSED: dict[str, Callable[[], str]] = {
    # not signed by the cluster
    "empty": lambda: "",
    "one word": lambda: "token",
    "two parts": lambda: "a.b",
    "dots": lambda: "...",
    "not base64": lambda: "!.!.!",
    "not ascii": lambda: "é.é.é",
    "header no json": lambda: raw("x", claims()),
    "header a list": lambda: raw("[]", claims()),
    "header nested deeply": lambda: raw("[" * 6000, claims()),
    "payload no json": lambda: raw({"alg": "RS256", "kid": "key-1"}, "x"),
    "alg none": lambda: raw({"alg": "none", "kid": "key-1"}, claims()),
    "alg None": lambda: raw({"alg": "None", "kid": "key-1"}, claims()),
    "alg null": lambda: raw({"alg": None, "kid": "key-1"}, claims()),
    "alg a list": lambda: raw({"alg": ["RS256"], "kid": "key-1"}, claims()),
    "no alg": lambda: raw({"kid": "key-1"}, claims()),
    "HS256 with the public key": hs256_with_the_public_key,
    "RS512": lambda: sign(KEY, claims(), alg="RS512"),
    "PS256": lambda: sign(KEY, claims(), alg="PS256"),
    "ES256 with an RSA key": lambda: raw({"alg": "ES256", "kid": "key-1"}, claims(), b"x" * 64),
    "no signature": lambda: raw({"alg": "RS256", "kid": "key-1"}, claims()),
    "signature of zeros": lambda: raw({"alg": "RS256", "kid": "key-1"}, claims(), b"\0" * 256),
    "ES256 signature of zeros": lambda: raw({"alg": "ES256", "kid": "key-2"}, claims(), b"\0" * 64),
    "changed after signing": tampered,
    "signed by another key of the same name": lambda: sign(FOREIGN_KEY, claims()),
    "no kid": lambda: sign(KEY, claims(), kid=None),
    "kid a number": lambda: raw({"alg": "RS256", "kid": 1}, claims()),
    "key in the header": lambda: sign(FOREIGN_KEY, claims(), jwk=FOREIGN_KEY.as_dict(private=False)),
    "unknown critical header": lambda: raw({"alg": "RS256", "kid": "key-1", "crit": ["x"], "x": 1}, claims()),
    "too long": lambda: sign(KEY, claims(x="x" * 20_000)),
    "whitespace around": lambda: f" {sign(KEY, claims())} ",
    # signed by the cluster, but not for us or not now
    "wrong audience": signed(aud=["https://kubernetes.default.svc.cluster.local"]),
    "no audience": signed(aud=None),
    "empty audience": signed(aud=[]),
    "audience that only contains ours": signed(aud=["bgjobs-other"]),
    "audience no text": signed(aud=[1, {"bgjobs": 1}]),
    "wrong issuer": signed(iss="https://elsewhere"),
    "issuer with a slash": signed(iss=f"{ISSUER}/"),
    "issuers": signed(iss=[ISSUER]),
    "no issuer": signed(iss=None),
    "expired": signed(exp=int(NOW) - 61),
    "no expiry": signed(exp=None),
    "expiry as text": signed(exp="9999999999"),
    "expiry true": signed(exp=True),
    "not yet": signed(nbf=int(NOW) + 61),
    "no nbf": signed(nbf=None),
    "issued in the future": signed(iat=int(NOW) + 3600),
    # for us, but nobody we know
    "no subject": signed(sub=None),
    "empty subject": signed(sub=""),
    "subject a list": signed(sub=["system:serviceaccount:shop:web"]),
    "a person": signed(sub="ada@example.com"),
    "a node": signed(sub="system:node:node-1"),
    "admin": signed(sub="system:admin"),
    "subject without a name": signed(sub="system:serviceaccount:shop:"),
    "subject without a namespace": signed(sub="system:serviceaccount::web"),
    "subject with a part too many": signed(sub="system:serviceaccount:shop:web:x"),
    "subject with a line end": signed(sub="system:serviceaccount:shop:web\n"),
    "subject in upper case": signed(sub="system:serviceaccount:SHOP:web"),
    "no claim of Kubernetes": signed(**{"kubernetes.io": None}),
    "claim of Kubernetes as text": signed(**{"kubernetes.io": "shop"}),
    "other namespace in the claim": signed(**{"kubernetes.io": bound(namespace="mail")}),
    "no namespace in the claim": signed(**{"kubernetes.io": bound(namespace=None)}),
    "other account in the claim": signed(**{"kubernetes.io": bound(serviceaccount={"name": "admin"})}),
    "no account in the claim": signed(**{"kubernetes.io": bound(serviceaccount=None)}),
    "pod without uid": signed(**{"kubernetes.io": bound(pod={"name": "web-1"})}),
    "pod without name": signed(**{"kubernetes.io": bound(pod={"uid": "u"})}),
    "pod with an empty uid": signed(**{"kubernetes.io": bound(pod={"name": "web-1", "uid": ""})}),
    "pod as text": signed(**{"kubernetes.io": bound(pod="web-1")}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    with pytest.raises(UnauthenticatedError):
        verify(REFUSED[case](), KNOWN, NOW)


GOOD = [
    pytest.param({}, id="projected"),
    pytest.param({"aud": "bgjobs"}, id="audience-as-text"),
    pytest.param({"aud": ["other", "bgjobs"]}, id="two-audiences"),
    pytest.param({"exp": int(NOW) - 59}, id="expired-within-the-leeway"),
    pytest.param({"nbf": int(NOW) + 59, "iat": int(NOW) + 59}, id="our-clock-is-behind"),
]


@pytest.mark.parametrize("changes", GOOD)
def test_let_in(changes: dict[str, Any]) -> None:
    caller = verify(sign(KEY, claims(**changes)), KNOWN, NOW)
    assert caller.user == "system:serviceaccount:shop:web"
    assert caller.groups == ("system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated")
    assert (caller.namespace, caller.pod_name, caller.pod_uid) == ("shop", "web-5d4f8c7b9-abcde", "pod-uid")


def test_elliptic_keys_sign_too() -> None:
    assert verify(sign(EC_KEY, claims(), alg="ES256"), KNOWN, NOW).namespace == "shop"


def test_a_token_of_kubectl_is_bound_to_no_pod() -> None:
    claim = bound()
    del claim["pod"]
    caller = verify(sign(KEY, claims(**{"kubernetes.io": claim})), KNOWN, NOW)
    assert (caller.pod_name, caller.pod_uid) == (None, None)


def test_an_unknown_key_is_said_to_be_one() -> None:
    with pytest.raises(UnknownKeyError):
        verify(sign(OTHER_KEY, claims()), KNOWN, NOW)


# --- keys


def test_of_the_published_keys_only_those_that_sign_tokens_are_used() -> None:
    cluster = Cluster([KEY])
    cluster.extra = [
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"},
        {"kty": "RSA", "kid": "broken", "n": "x"},
        {"kty": "EC", "kid": "odd", "crv": "P-999", "x": "x", "y": "y"},
        {"kty": "AKP", "kid": "future"},
        {**new_key("encrypts").as_dict(private=False), "use": "enc"},
        new_key("nameless").as_dict(private=False) | {"kid": 7},
    ]
    assert list(read_keys(*cluster.documents()).keys) == ["key-1"]


@pytest.mark.parametrize(
    ("configuration", "keys"),
    [
        pytest.param({}, {"keys": [KEY.as_dict(private=False)]}, id="no-issuer"),
        pytest.param({"issuer": 1}, {"keys": [KEY.as_dict(private=False)]}, id="issuer-no-text"),
        pytest.param({"issuer": ISSUER}, {"keys": []}, id="no-keys"),
        pytest.param({"issuer": ISSUER}, {}, id="nothing"),
        pytest.param({"issuer": ISSUER}, {"keys": [{"kty": "oct", "kid": "a", "k": "YQ"}]}, id="no-usable-key"),
    ],
)
def test_documents_that_make_no_sense_are_an_error(configuration: dict[str, Any], keys: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="API server"):
        read_keys(configuration, keys)


def moment(seconds: float = 0) -> Moment:
    return Moment(NOW + seconds, 500 + seconds)


def ring_of(cluster: Cluster) -> KeyRing:
    return KeyRing(lambda: fetch_keys(cast("Kube", cluster)))


async def test_keys_are_read_when_first_needed_and_then_kept() -> None:
    cluster = Cluster([KEY])
    tokens = ServiceAccountTokens(ring_of(cluster))
    assert not tokens.ready
    for second in range(3):
        assert (await tokens.identify(sign(KEY, claims()), moment(second))).namespace == "shop"
    assert tokens.ready
    assert cluster.asked == 1


async def test_a_new_key_of_the_cluster_is_found() -> None:
    cluster = Cluster([KEY])
    tokens = ServiceAccountTokens(ring_of(cluster))
    await tokens.identify(sign(KEY, claims()), moment())
    cluster.published = [OTHER_KEY]
    assert (await tokens.identify(sign(OTHER_KEY, claims()), moment(11))).namespace == "shop"
    with pytest.raises(KeysUnavailableError):  # the old one is gone now, but was that asked a moment ago?
        await tokens.identify(sign(KEY, claims()), moment(12))
    with pytest.raises(UnauthenticatedError):
        await tokens.identify(sign(KEY, claims()), moment(22))


async def test_unknown_keys_do_not_make_us_ask_all_the_time() -> None:
    """At most once in ten seconds; in between a runner hears "not now", never a no that it would take for good."""
    cluster = Cluster([KEY])
    tokens = ServiceAccountTokens(ring_of(cluster))
    await tokens.identify(sign(KEY, claims()), moment())
    for second in range(1, 10):
        with pytest.raises(KeysUnavailableError) as caught:
            await tokens.identify(sign(OTHER_KEY, claims()), moment(second))
        assert caught.value.seconds == 10 - second
    assert cluster.asked == 1
    with pytest.raises(UnauthenticatedError, match="does not publish"):
        await tokens.identify(sign(OTHER_KEY, claims()), moment(10))
    assert cluster.asked == 2
    assert (await tokens.identify(sign(KEY, claims()), moment(10))).namespace == "shop"


async def test_while_kubernetes_is_away_what_was_read_stays_good() -> None:
    cluster = Cluster([KEY])
    ring = ring_of(cluster)
    tokens = ServiceAccountTokens(ring)
    await tokens.identify(sign(KEY, claims()), moment())
    cluster.failure = KubeUnreachableError("gone")
    await ring.refresh_if_due(moment(301))
    assert (await tokens.identify(sign(KEY, claims(exp=int(NOW) + 900)), moment(302))).namespace == "shop"
    with pytest.raises(KeysUnavailableError):
        await tokens.identify(sign(OTHER_KEY, claims()), moment(320))


async def test_without_keys_nobody_is_let_in_and_nobody_refused() -> None:
    cluster = Cluster([KEY], failure=KubeUnreachableError("gone"))
    tokens = ServiceAccountTokens(ring_of(cluster))
    for second in (0, 1):
        with pytest.raises(KeysUnavailableError):
            await tokens.identify("garbage", moment(second))
    assert (cluster.asked, tokens.ready) == (0, False)
    cluster.failure = None
    assert (await tokens.identify(sign(KEY, claims()), moment(11))).namespace == "shop"


async def test_keys_are_read_again_every_five_minutes() -> None:
    cluster = Cluster([KEY])
    ring = ring_of(cluster)
    for second, asked in ((0, 1), (1, 1), (299, 1), (300, 2), (301, 2)):
        await ring.refresh_if_due(moment(second))
        assert cluster.asked == asked
    cluster.failure = KubeUnreachableError("gone")
    await ring.refresh_if_due(moment(600))
    cluster.failure = None
    await ring.refresh_if_due(moment(605))  # tried less than ten seconds ago
    assert cluster.asked == 2
    await ring.refresh_if_due(moment(610))
    assert cluster.asked == 3


async def test_many_callers_at_once_read_the_keys_once() -> None:
    fetched = 0
    release = asyncio.Event()

    async def fetch() -> IssuerKeys:
        nonlocal fetched
        fetched += 1
        await release.wait()
        return KNOWN

    tokens = ServiceAccountTokens(KeyRing(fetch))
    calls = [asyncio.create_task(tokens.identify(sign(KEY, claims()), moment())) for _ in range(20)]
    await asyncio.sleep(0)
    release.set()
    assert {caller.namespace for caller in await asyncio.gather(*calls)} == {"shop"}
    assert fetched == 1


# --- as HTTP


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        pytest.param({}, 'Bearer realm="bgjobs"', id="nothing"),
        pytest.param({"Authorization": "Basic YTpi"}, 'Bearer realm="bgjobs"', id="basic"),
        pytest.param({"Authorization": "Bearer"}, 'Bearer realm="bgjobs"', id="no-token"),
        pytest.param({"Authorization": "Bearer x"}, 'Bearer realm="bgjobs", error="invalid_token"', id="unknown"),
        pytest.param({"X-Remote-User": "admin", "X-Forwarded-User": "admin"}, 'Bearer realm="bgjobs"', id="headers"),
    ],
)
async def test_who_is_not_known_gets_401(world: World, headers: dict[str, str], challenge: str) -> None:
    response = await world.http.get("/api/v1/jobs", headers=headers)
    assert (response.status_code, response.json()["code"]) == (401, "unauthenticated")
    assert response.headers["WWW-Authenticate"] == challenge
    assert world.access.asked == []


async def test_if_tokens_cannot_be_verified_now_the_answer_is_503(world: World) -> None:
    world.authenticator.failure = KeysUnavailableError("Kubernetes is away", 7.4)
    response = await world.get("/api/v1/jobs")
    assert (response.status_code, response.json()["code"]) == (503, "keys_unavailable")
    assert response.headers["Retry-After"] == "7"


async def test_who_calls_is_asked_before_the_body_is_read(world: World) -> None:
    read: list[int] = []

    async def parts() -> AsyncGenerator[bytes]:
        read.append(1)
        yield b"{}"

    response = await world.http.post("/api/v1/jobs", content=parts())
    assert (response.status_code, read) == (401, [])


def test_the_key_that_signs_is_not_the_key_that_is_published() -> None:
    """The set-up of these tests: what they hold KNOWN to be is public."""
    assert all(not key.is_private for key in KNOWN.keys.values())
    assert isinstance(KNOWN.keys["key-1"], jwk.RSAKey)
