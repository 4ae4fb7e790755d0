"""People's ID tokens: who is let in and as whom; the provider's keys, asked for over real HTTP."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from joserfc import jwk

from bgjobs_api.identity.discovery import Issuer, jwks_uri
from bgjobs_api.identity.errors import KeysUnavailableError, KeysUnreadableError, UnauthenticatedError
from bgjobs_api.identity.id_tokens import IdTokens, Rules, prefix_objection, verify
from bgjobs_api.identity.issuer_door import MAX_ANSWER_BYTES, IssuerDoor
from bgjobs_api.identity.issuer_keys import IssuerKeys, KeyRing, usable_keys
from tests.api.provider import CLIENT, DISCOVERY, EC, RSA, Provider, id_claims
from tests.api.tokens import new_key, sign
from tests.api.world import NOW, FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

ISSUER = "https://login.example/realm"
RULES = Rules(ISSUER, CLIENT)
KNOWN = IssuerKeys(ISSUER, usable_keys(Provider().key_set(), "the provider"))


def token(**changes: Any) -> str:
    return sign(RSA, id_claims(ISSUER, **changes))


def user(rules: Rules = RULES, **changes: Any) -> tuple[str, tuple[str, ...]]:
    found = verify(token(**changes), KNOWN, rules, NOW)
    assert (found.namespace, found.pod_name, found.pod_uid) == ("", None, None)
    return found.user, found.groups


ADA = "oidc:ada@example.com"
ALL = "system:authenticated"
LET_IN = [
    pytest.param({}, ADA, ("oidc:billing", "oidc:on-call", ALL), id="as it is"),
    pytest.param({"email_verified": None}, ADA, ("oidc:billing", "oidc:on-call", ALL), id="nothing said of the email"),
    pytest.param({"groups": None}, ADA, (ALL,), id="no groups"),
    pytest.param({"groups": []}, ADA, (ALL,), id="an empty list of groups"),
    pytest.param({"groups": "billing"}, ADA, ("oidc:billing", ALL), id="one group without a list"),
    pytest.param({"groups": ["a", "b", "a"]}, ADA, ("oidc:a", "oidc:b", ALL), id="a group twice"),
    pytest.param({"groups": ["masters"]}, ADA, ("oidc:masters", ALL), id="masters of something else"),
    pytest.param({"groups": ["Über uns"]}, ADA, ("oidc:Über uns", ALL), id="other alphabets, and a space"),
    pytest.param({"aud": [CLIENT], "groups": None}, ADA, (ALL,), id="a list of one audience"),
    pytest.param({"aud": [CLIENT, "x"], "azp": CLIENT, "groups": None}, ADA, (ALL,), id="several, asked for by us"),
    pytest.param({"azp": CLIENT, "groups": None}, ADA, (ALL,), id="azp is ours"),
    pytest.param({"exp": int(NOW) - 59, "groups": None}, ADA, (ALL,), id="expired within the leeway"),
    pytest.param({"nbf": int(NOW) + 59, "groups": None}, ADA, (ALL,), id="nearly valid"),
]


@pytest.mark.parametrize(("changes", "name", "groups"), LET_IN)
def test_let_in(changes: dict[str, Any], name: str, groups: tuple[str, ...]) -> None:
    assert user(**changes) == (name, groups)


def test_claims_and_prefixes_are_those_of_the_settings() -> None:
    rules = Rules(ISSUER, CLIENT, "preferred_username", "corp:", "roles", "team:")
    changes = {"preferred_username": "ada", "roles": ["ops"], "email_verified": False}
    assert user(rules, **changes) == ("corp:ada", ("team:ops", ALL))


@pytest.mark.parametrize(("key", "alg"), [("RSA", "RS256"), ("RSA", "PS256"), ("EC", "ES256")])
def test_three_algorithms(key: str, alg: str) -> None:
    assert verify(sign(EC if key == "EC" else RSA, id_claims(ISSUER), alg=alg), KNOWN, RULES, NOW).user == ADA


REFUSED: dict[str, tuple[Callable[[], str], str]] = {
    "other issuer": (lambda: token(iss="https://evil.example"), "iss"),
    "a slash more": (lambda: token(iss=f"{ISSUER}/"), "iss"),
    "no issuer": (lambda: token(iss=None), "missing_claim"),
    "other audience": (lambda: token(aud="shop"), "aud"),
    "no audience": (lambda: token(aud=None), "missing_claim"),
    "audience of programs": (lambda: token(aud="bgjobs"), "aud"),
    "several, nobody said who asked": (lambda: token(aud=[CLIENT, "shop"]), "azp"),
    "several, somebody else asked": (lambda: token(aud=[CLIENT, "shop"], azp="shop"), "azp"),
    "somebody else asked for it": (lambda: token(azp="shop"), "azp"),
    "expired": (lambda: token(exp=int(NOW) - 61), "expired"),
    "no expiry": (lambda: token(exp=None), "missing_claim"),
    "not yet": (lambda: token(nbf=int(NOW) + 61), "nbf"),
    "issued in the future": (lambda: token(iat=int(NOW) + 61), "iat"),
    "no issue time": (lambda: token(iat=None), "missing_claim"),
    "no subject": (lambda: token(sub=None), "missing_claim"),
    "an access token": (lambda: sign(RSA, id_claims(ISSUER), typ="at+jwt"), "typ"),
    "a logout token": (lambda: sign(RSA, id_claims(ISSUER), typ="logout+jwt"), "typ"),
    "a ServiceAccount's": (lambda: token(**{"kubernetes.io": {"namespace": "shop"}}), "ServiceAccount"),
    "email not verified": (lambda: token(email_verified=False), "email_verified"),
    "email verified in words": (lambda: token(email_verified="true"), "email_verified"),
    "no email": (lambda: token(email=None), "'email'"),
    "empty email": (lambda: token(email=""), "'email'"),
    "email a number": (lambda: token(email=7), "'email'"),
    "email with NUL": (lambda: token(email="ada\0@example.com"), "seen"),
    "email with a line end": (lambda: token(email="ada@example.com\n"), "seen"),
    "email written backwards": (lambda: token(email="ada\u202e@example.com"), "seen"),
    "email too long": (lambda: token(email="a" * 257), "long"),
    "system:admin": (lambda: token(email="system:admin"), "system:"),
    "a node": (lambda: token(email="system:node:node-1"), "system:"),
    "masters": (lambda: token(groups=["billing", "system:masters"]), "system:"),
    "masters without a list": (lambda: token(groups="system:masters"), "system:"),
    "groups a number": (lambda: token(groups=7), "'groups'"),
    "groups an object": (lambda: token(groups={"system:masters": True}), "'groups'"),
    "a group that is a number": (lambda: token(groups=["billing", 7]), "'groups'"),
    "a group that is a list": (lambda: token(groups=[["billing"]]), "'groups'"),
    "an empty group": (lambda: token(groups=[""]), "'groups'"),
    "a group with NUL": (lambda: token(groups=["a\0b"]), "seen"),
    "RS512": (lambda: sign(RSA, id_claims(ISSUER), alg="RS512"), "signed"),
    "a curve for ES256 alone": (lambda: sign(EC, id_claims(ISSUER), alg="ES256", kid="p-rsa"), "key"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    made, why = REFUSED[case]
    with pytest.raises(UnauthenticatedError, match=why):
        verify(made(), KNOWN, RULES, NOW)


def test_a_key_for_one_algorithm_verifies_no_other() -> None:
    key = new_key("mine")
    entry: Any = {**key.as_dict(private=False), "alg": "RS256"}
    known = IssuerKeys(ISSUER, usable_keys({"keys": [entry]}, "the provider"))
    assert verify(sign(key, id_claims(ISSUER)), known, RULES, NOW).user == ADA
    with pytest.raises(UnauthenticatedError, match="not one for its algorithm"):
        verify(sign(key, id_claims(ISSUER), alg="PS256"), known, RULES, NOW)


@pytest.mark.parametrize(
    ("rules", "changes"),
    [
        pytest.param(Rules(ISSUER, CLIENT, username_prefix=""), {"email": "system:admin"}, id="no prefix"),
        pytest.param(Rules(ISSUER, CLIENT, username_prefix="sys"), {"email": "tem:admin"}, id="half a prefix"),
        pytest.param(Rules(ISSUER, CLIENT, groups_prefix="system"), {"groups": [":masters"]}, id="half, of groups"),
    ],
)
def test_even_with_a_prefix_that_is_refused_at_start_nobody_becomes_kubernetes_own(
    rules: Rules, changes: dict[str, Any]
) -> None:
    with pytest.raises(UnauthenticatedError, match="system:"):
        user(rules, **changes)


@pytest.mark.parametrize("prefix", ["", "s", "sys", "system", "system:", "system:oidc:", "bgjobs:", "bg", "a\n"])
def test_prefixes_that_do_not_keep_names_apart(prefix: str) -> None:
    assert prefix_objection(prefix) is not None


@pytest.mark.parametrize("prefix", ["oidc:", "corp/", "S", "systems:", "-"])
def test_prefixes_that_do(prefix: str) -> None:
    assert prefix_objection(prefix) is None


# --- the provider's keys


@pytest.fixture
async def provider() -> AsyncGenerator[Provider]:
    made = Provider()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def door() -> AsyncGenerator[IssuerDoor]:
    made = IssuerDoor()
    yield made
    await made.close()


async def test_keys_come_from_where_the_discovery_document_says(provider: Provider, door: IssuerDoor) -> None:
    clock = FakeClock()
    ring = KeyRing(Issuer(provider.url, door.get, clock).keys, provider.url)
    tokens = IdTokens(ring, Rules(provider.url, CLIENT))
    assert (tokens.ready, len(tokens.findings())) == (False, 1)
    for _ in range(3):
        assert (await tokens.identify(sign(RSA, id_claims(provider.url)), clock())).user == ADA
    assert (tokens.ready, tokens.findings()) == (True, ())
    assert provider.asked == [DISCOVERY, "/keys"]


async def test_a_new_key_is_found_without_reading_the_discovery_document_again(
    provider: Provider, door: IssuerDoor
) -> None:
    clock, new = FakeClock(), new_key("p-new")
    tokens = IdTokens(KeyRing(Issuer(provider.url, door.get, clock).keys, provider.url), Rules(provider.url, CLIENT))
    await tokens.identify(sign(RSA, id_claims(provider.url)), clock())
    provider.published = [new]
    with pytest.raises(KeysUnavailableError):
        await tokens.identify(sign(new, id_claims(provider.url)), clock())
    clock.now += 11
    assert (await tokens.identify(sign(new, id_claims(provider.url)), clock())).user == ADA
    assert provider.asked == [DISCOVERY, "/keys", "/keys"]


async def test_all_is_read_again_when_old_and_what_was_read_stays_good(provider: Provider, door: IssuerDoor) -> None:
    clock = FakeClock()
    ring = KeyRing(Issuer(provider.url, door.get, clock).keys, provider.url)
    tokens = IdTokens(ring, Rules(provider.url, CLIENT))
    for seconds, asked in ((0, 2), (299, 2), (1, 4), (1, 4)):
        clock.now += seconds
        await ring.refresh_if_due(clock())
        assert len(provider.asked) == asked
    provider.answers["/keys"] = web.Response(status=503)
    clock.now += 300
    await ring.refresh_if_due(clock())
    await ring.refresh_if_due(clock())  # not twice in ten seconds
    assert len(provider.asked) == 6
    assert "answers 503" in tokens.findings()[0].detail
    assert "go on" in tokens.findings()[0].detail
    assert (await tokens.identify(sign(RSA, id_claims(provider.url)), clock())).user == ADA
    del provider.answers["/keys"]
    clock.now += 11
    await ring.refresh_if_due(clock())
    assert tokens.findings() == ()
    assert provider.asked[6:] == [DISCOVERY, "/keys"]  # they could have moved


def big() -> web.Response:
    return web.json_response({"keys": [], "x": "x" * MAX_ANSWER_BYTES})


def bomb() -> web.Response:
    return web.Response(body=gzip.compress(b" " * 10_000_000), headers={"Content-Encoding": "gzip"})


BROKEN = [
    pytest.param({"issuer": "https://evil.example"}, {}, "names another issuer", id="other issuer"),
    pytest.param({"issuer": None}, {}, "names another issuer", id="no issuer"),
    pytest.param({"jwks_uri": None}, {}, "does not say where", id="no address of keys"),
    pytest.param({"jwks_uri": 7}, {}, "does not say where", id="address a number"),
    pytest.param({"jwks_uri": "file:///etc/passwd"}, {}, "says that its keys are at", id="a file"),
    pytest.param({"jwks_uri": "https://127.0.0.1:1/keys"}, {}, "says that its keys are at", id="other scheme"),
    pytest.param({"jwks_uri": "/keys"}, {}, "says that its keys are at", id="no host"),
    pytest.param({}, {"/keys": web.Response(status=302, headers={"Location": "/moved"})}, "answers 302", id="redirect"),
    pytest.param({}, {"/keys": web.Response(text="{")}, "not answer with JSON", id="no JSON"),
    pytest.param({}, {"/keys": web.Response(text="[" * 100_000)}, "not answer with JSON", id="nested deeply"),
    pytest.param({}, {"/keys": web.json_response([])}, "JSON object", id="a list"),
    pytest.param({}, {"/keys": big()}, "more than", id="too large"),
    pytest.param({}, {"/keys": bomb()}, "not answer with JSON", id="compressed"),
    pytest.param({}, {"/keys": web.json_response({"keys": []})}, "no key", id="no keys"),
    pytest.param({}, {DISCOVERY: web.Response(status=404)}, "answers 404", id="no document"),
]


@pytest.mark.parametrize(("changes", "answers", "why"), BROKEN)
async def test_answers_that_are_not_taken(
    provider: Provider, door: IssuerDoor, changes: dict[str, Any], answers: dict[str, web.Response], why: str
) -> None:
    provider.changes, provider.answers = changes, answers
    with pytest.raises(KeysUnreadableError, match=why):
        await Issuer(provider.url, door.get, FakeClock()).keys()


async def test_a_provider_that_is_away(door: IssuerDoor) -> None:
    with pytest.raises(KeysUnreadableError, match="Cannot connect"):
        await Issuer("http://127.0.0.1:9", door.get, FakeClock()).keys()


async def test_proxies_of_the_environment_are_not_used(
    provider: Provider, door: IssuerDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert (await door.get(f"{provider.url}/keys"))["keys"]


def test_an_issuer_with_tls_keeps_its_keys_behind_tls() -> None:
    document = {"issuer": ISSUER, "jwks_uri": "http://login.example/keys"}
    with pytest.raises(ValueError, match="says that its keys are at"):
        jwks_uri(ISSUER, document)
    # On another host they may be: Google's are.
    assert jwks_uri(ISSUER, {**document, "jwks_uri": "https://keys.example/1"}) == "https://keys.example/1"


@pytest.mark.filterwarnings("ignore:Key size")
def test_short_keys_are_not_used() -> None:
    short = jwk.RSAKey.generate_key(1024, {"kid": "short", "use": "sig"})
    with pytest.raises(ValueError, match="no key"):
        usable_keys({"keys": [short.as_dict(private=False)]}, "the provider")
