"""Attempts to get in. Each is refused, and leaves the store as it was.

What an attempt asks for is there and would be done for the right one (`test_the_right_ones_get_in`), and the rules of
access let `system:masters` do everything: what is refused here is refused for who asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.protocol import PROTOCOL_HEADER
from tests.api.doors import CLUSTER_KEY, open_doors, web_token
from tests.api.forgery import (
    STRANGER,
    STRANGER_EC,
    THIEF,
    THIEF_EC,
    bringing_its_key,
    by_hand,
    changed,
    encrypted,
    hmac_signed,
    none,
    public,
    swapped,
    with_header,
)
from tests.api.provider import CLIENT, RSA, id_claims
from tests.api.tokens import claims, sign
from tests.api.world import KUBE_UID, NOW

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    import httpx2

    from tests.api.doors import Doors

    Attempt = Callable[[Doors], Awaitable[httpx2.Response]]
    Forge = Callable[[dict[str, Any]], str]

UNKNOWN = (401, "unauthenticated")


@pytest.fixture
async def doors() -> AsyncGenerator[Doors]:
    async with open_doors() as made:
        yield made


# --- as people do: with an ID token, to cancel a job


def person(forge: Forge) -> Attempt:
    """A token made of the claims of a good one."""

    async def attempt(doors: Doors) -> httpx2.Response:
        token = forge(id_claims(doors.provider.url))
        return await cancel(doors.people, doors.job_id, {"Authorization": f"Bearer {token}"})

    return attempt


async def cancel(http: httpx2.AsyncClient, job_id: str, headers: Any) -> httpx2.Response:
    return await http.post(f"/api/v1/jobs/{job_id}/cancel", headers=headers)


def saying(**changes: Any) -> Attempt:
    """A token that the provider has signed, with other claims."""

    def forge(good: dict[str, Any]) -> str:
        made = {**good, **changes}
        return sign(RSA, {name: value for name, value in made.items() if value is not None})

    return person(forge)


def carrying(headers: Callable[[str], Any], door: str = "people") -> Attempt:
    """Headers made of a good token; `httpx2` sends a list of pairs as it is."""

    async def attempt(doors: Doors) -> httpx2.Response:
        token = doors.id_token() if door == "people" else web_token()
        return await cancel(getattr(doors, door), doors.job_id, headers(token))

    return attempt


def authorization(text: str, **more: str) -> Attempt:
    """`{}` stands for a good token."""
    return carrying(lambda token: {"Authorization": text.replace("{}", token), **more})


async def in_the_query(doors: Doors) -> httpx2.Response:
    token = doors.id_token()
    return await doors.people.get("/api/v1/jobs", params={"access_token": token, "id_token": token, "token": token})


async def the_other_issuers_slash(doors: Doors) -> httpx2.Response:
    token = sign(RSA, id_claims(f"{doors.provider.url}/"))
    return await cancel(doors.people, doors.job_id, {"Authorization": f"Bearer {token}"})


# --- as programs and runners do


def program(**changes: Any) -> Attempt:
    async def attempt(doors: Doors) -> httpx2.Response:
        return await cancel(doors.programs, doors.job_id, {"Authorization": f"Bearer {web_token(**changes)}"})

    return attempt


async def of_another_namespace(doors: Doors) -> httpx2.Response:
    return await cancel(doors.programs, doors.other_id, {"Authorization": f"Bearer {web_token()}"})


async def program_where_people_are(doors: Doors) -> httpx2.Response:
    return await cancel(doors.people, doors.job_id, {"Authorization": f"Bearer {web_token()}"})


async def person_where_programs_are(doors: Doors) -> httpx2.Response:
    return await cancel(doors.programs, doors.job_id, {"Authorization": f"Bearer {doors.id_token()}"})


async def runner(
    doors: Doors, token: str, job_id: str, verb: str = "beat", door: str = "programs", **said: Any
) -> httpx2.Response:
    body = {"kube_uid": KUBE_UID, "pod_uid": doors.pod.uid, "pod_name": doors.pod.name, "attempt": 1, **said}
    if verb == "finish":
        body["outcome"] = "succeeded"
    if verb == "start":
        del body["attempt"]
    headers = {"Authorization": f"Bearer {token}", PROTOCOL_HEADER: "1"}
    return await getattr(doors, door).post(f"/runner/v1/jobs/{job_id}/{verb}", json=body, headers=headers)


async def runner_of_another_job(doors: Doors) -> httpx2.Response:
    other = doors.world.pod(doors.other_id)
    return await runner(doors, doors.pod_token(other), doors.job_id, "finish", pod_uid=other.uid, pod_name=other.name)


async def runner_says_it_is_another_pod(doors: Doors) -> httpx2.Response:
    other = doors.world.pod(doors.job_id, "zzzzz")
    return await runner(doors, doors.pod_token(other), doors.job_id, "finish")


async def runner_of_another_pod(doors: Doors) -> httpx2.Response:
    other = doors.world.pod(doors.job_id, "zzzzz")
    return await runner(doors, doors.pod_token(other), doors.job_id, "finish", pod_uid=other.uid, pod_name=other.name)


async def runner_of_another_namespace(doors: Doors) -> httpx2.Response:
    return await runner(doors, doors.pod_token(doors.pod, "mail"), doors.job_id, "finish")


async def runner_of_another_kube_job(doors: Doors) -> httpx2.Response:
    return await runner(doors, doors.pod_token(doors.pod), doors.job_id, "start", kube_uid="of-somebody-else")


async def program_as_runner(doors: Doors) -> httpx2.Response:
    return await runner(doors, web_token(), doors.job_id, "finish")


async def runner_without_a_pod(doors: Doors) -> httpx2.Response:
    bound = {"namespace": "shop", "serviceaccount": {"name": "web"}}
    return await runner(doors, web_token(**{"kubernetes.io": bound}), doors.job_id, "finish")


async def runner_where_people_are(doors: Doors) -> httpx2.Response:
    return await runner(doors, doors.pod_token(doors.pod), doors.job_id, "finish", door="people")


async def person_as_runner(doors: Doors) -> httpx2.Response:
    return await runner(doors, doors.id_token(), doors.job_id, "finish", door="people")


async def page_without_a_token(doors: Doors) -> httpx2.Response:
    return await doors.people.get(f"/jobs/{doors.job_id}", headers={"X-Forwarded-User": "ada@example.com"})


async def form_of_another_site(doors: Doors) -> httpx2.Response:
    headers = {
        "Authorization": f"Bearer {doors.id_token()}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Sec-Fetch-Site": "cross-site",
    }
    return await doors.people.post(f"/jobs/{doors.job_id}/cancel", headers=headers)


async def masters_of_mail(doors: Doors) -> httpx2.Response:
    """Ada may nothing in mail, whoever she says that she is."""
    headers = {
        "Authorization": f"Bearer {doors.id_token()}",
        "Impersonate-User": "system:admin",
        "Impersonate-Group": "system:masters",
    }
    return await cancel(doors.people, doors.other_id, headers)


async def wanting_to_enqueue_nowhere(doors: Doors) -> httpx2.Response:
    """Without a namespace the question to RBAC would be about all of them."""
    body = {"id": doors.job_id, "class": "shop.jobs.Report", "method": "build"}
    return await doors.people.post(
        "/api/v1/jobs", json=body, headers={"Authorization": f"Bearer {doors.id_token(groups=['x'])}"}
    )


IDENTITY_HEADERS = {
    "X-Forwarded-User": "ada@example.com",
    "X-Forwarded-Email": "ada@example.com",
    "X-Forwarded-Groups": "system:masters",
    "X-Auth-Request-User": "oidc:ada@example.com",
    "X-Auth-Request-Groups": "system:masters",
    "X-Remote-User": "system:admin",
    "X-Remote-Group": "system:masters",
    "Remote-User": "system:admin",
    "Impersonate-User": "system:admin",
    "Impersonate-Group": "system:masters",
    "X-Forwarded-Access-Token": "{}",
    "X-Auth-Request-Access-Token": "{}",
    "Proxy-Authorization": "Bearer {}",
    "X-Authorization": "Bearer {}",
    "Cookie": "_oauth2_proxy={}; Authorization=Bearer {}",
}


def header_alone(name: str, door: str) -> Attempt:
    return carrying(lambda token: {name: IDENTITY_HEADERS[name].replace("{}", token)}, door)


ATTEMPTS: dict[str, tuple[Attempt, tuple[int, str]]] = {
    # not signed by the provider
    "signed by another key of that name": (person(lambda good: sign(THIEF, good)), UNKNOWN),
    "signed by another elliptic key": (person(lambda good: sign(THIEF_EC, good, alg="ES256")), UNKNOWN),
    "claims changed after signing": (
        person(lambda good: changed(sign(RSA, good), {**good, "groups": ["on-call"]})),
        UNKNOWN,
    ),
    "signature left out": (person(lambda good: by_hand({"alg": "RS256", "kid": "p-rsa"}, good)), UNKNOWN),
    "signature of zeros": (
        person(lambda good: by_hand({"alg": "ES256", "kid": "p-ec"}, good, b"\0" * 64)),
        UNKNOWN,
    ),
    **{
        f"alg {alg!r}": (person(lambda good, alg=alg: none(alg, good)), UNKNOWN)
        for alg in ("none", "None", "NONE", "nOnE", "", "none ", None, "-", ["none"], "\0none")
    },
    **{
        f"HS256 with the public key as {form}": (
            person(lambda good, form=form: hmac_signed(public(form), good)),
            UNKNOWN,
        )
        for form in ("pem", "der", "jwk")
    },
    "HS256 with nothing": (person(lambda good: hmac_signed(b"", good, "../../../../dev/null")), UNKNOWN),
    "elliptic signature as RS256": (person(lambda good: swapped("RS256", good)), UNKNOWN),
    "elliptic signature as PS256": (person(lambda good: swapped("PS256", good)), UNKNOWN),
    "unknown kid": (person(lambda good: sign(STRANGER, good)), UNKNOWN),
    **{
        f"kid {kid!r}": (person(lambda good, kid=kid: sign(THIEF, good, kid=kid)), UNKNOWN)
        for kid in ("../../../../dev/null", "/proc/self/environ", "p-rsa' OR '1'='1", "https://evil.example/k", "")
    },
    "no kid": (person(lambda good: sign(RSA, good, kid=None)), UNKNOWN),
    "key in the header": (person(lambda good: bringing_its_key(THIEF_EC, good)), UNKNOWN),
    "key in the header, of its own name": (person(lambda good: bringing_its_key(STRANGER_EC, good)), UNKNOWN),
    "jku to the thief": (person(lambda good: with_header(good, jku="https://evil.example/keys")), UNKNOWN),
    "x5u to the thief": (person(lambda good: with_header(good, x5u="https://evil.example/c.pem")), UNKNOWN),
    "x5c of the thief": (person(lambda good: with_header(good, x5c=["MIIB"])), UNKNOWN),
    "crit that is not understood": (
        person(lambda good: by_hand({"alg": "RS256", "kid": "p-rsa", "crit": ["exp"]}, good, b"x" * 256)),
        UNKNOWN,
    ),
    "a good token inside one that is not": (
        person(lambda good: by_hand({"alg": "none", "cty": "JWT"}, sign(RSA, good))),
        UNKNOWN,
    ),
    "a good token inside one of the thief": (
        person(lambda good: sign(THIEF, {**good, "token": sign(RSA, good)}, cty="JWT")),
        UNKNOWN,
    ),
    "encrypted and not signed": (person(encrypted), UNKNOWN),
    "signature as JSON": (person(lambda good: '{"payload":"e30","signatures":[]}' + str(len(good))), UNKNOWN),
    "a megabyte": (person(lambda _: "x" * 1_000_000), UNKNOWN),
    "a megabyte, signed": (person(lambda good: sign(RSA, {**good, "x": "x" * 90_000})), UNKNOWN),
    # signed by the provider, but not for us, not now, or not an ID token
    "expired": (saying(exp=int(NOW) - 61), UNKNOWN),
    "never expires": (saying(exp=None), UNKNOWN),
    "not valid yet": (saying(nbf=int(NOW) + 7200), UNKNOWN),
    "issued in the future": (saying(iat=int(NOW) + 7200), UNKNOWN),
    "other audience": (saying(aud="shop"), UNKNOWN),
    "our audience inside another": (saying(aud=f"{CLIENT}-test"), UNKNOWN),
    "several audiences, asked for by another": (saying(aud=[CLIENT, "shop"], azp="shop"), UNKNOWN),
    "several audiences, asked for by nobody": (saying(aud=[CLIENT, "shop"]), UNKNOWN),
    "other issuer": (saying(iss="https://accounts.example"), UNKNOWN),
    "issuer with a slash more": (the_other_issuers_slash, UNKNOWN),
    "access token": (person(lambda good: sign(RSA, good, typ="at+jwt")), UNKNOWN),
    # signed by the provider, for somebody whom it may not name
    "group system:masters": (saying(groups=["on-call", "system:masters"]), UNKNOWN),
    "group system:masters without a list": (saying(groups="system:masters"), UNKNOWN),
    "user system:admin": (saying(email="system:admin"), UNKNOWN),
    "user of a ServiceAccount": (saying(email="system:serviceaccount:shop:web"), UNKNOWN),
    "user of the trial": (saying(email="bgjobs:trial"), UNKNOWN),
    "groups a number": (saying(groups=7), UNKNOWN),
    "groups an object": (saying(groups={"on-call": 1}), UNKNOWN),
    "a group that is a number": (saying(groups=["on-call", 7]), UNKNOWN),
    "no username": (saying(email=None), UNKNOWN),
    "empty username": (saying(email=""), UNKNOWN),
    "username a number": (saying(email=1), UNKNOWN),
    "username a list": (saying(email=["ada@example.com"]), UNKNOWN),
    "username with NUL": (saying(email="ada@example.com\0"), UNKNOWN),
    "email not verified": (saying(email_verified=False), UNKNOWN),
    "email not verified, in words": (saying(email_verified="true"), UNKNOWN),
    "another person": (saying(email="mallory@example.com"), (403, "forbidden")),
    "another person, with a space": (saying(email="ada@example.com "), (403, "forbidden")),
    "another person, in capitals": (saying(email="ADA@example.com"), (403, "forbidden")),
    # a good token in a bad place
    "in the query": (in_the_query, UNKNOWN),
    "no header": (carrying(lambda _: {}), UNKNOWN),
    "Basic": (authorization("Basic {}"), UNKNOWN),
    "Token": (authorization("Token {}"), UNKNOWN),
    "bearer of nothing": (authorization("Bearer "), UNKNOWN),
    "Bearer twice": (authorization("Bearer Bearer {}"), UNKNOWN),
    "with a comma": (authorization("Bearer {}, Bearer x"), UNKNOWN),
    "with a tab": (authorization("Bearer\t{}"), UNKNOWN),
    "Bearers": (authorization("Bearers {}"), UNKNOWN),
    "in quotes": (authorization('Bearer "{}"'), UNKNOWN),
    "with NUL": (authorization("Bearer {}\0"), UNKNOWN),
    "with a line end inside": (authorization("Bearer {}\nX: y"), UNKNOWN),
    "two headers, a good one first": (
        carrying(lambda token: [("Authorization", f"Bearer {token}"), ("Authorization", "Bearer x")]),
        UNKNOWN,
    ),
    "two headers, a good one last": (
        carrying(lambda token: [("Authorization", "Bearer x"), ("authorization", f"Bearer {token}")]),
        UNKNOWN,
    ),
    "two good headers, for programs": (
        carrying(lambda token: [("Authorization", f"Bearer {token}")] * 2, "programs"),
        UNKNOWN,
    ),
    # headers that others believe
    **{
        f"{name}, where {door} are": (header_alone(name, door), UNKNOWN)
        for name in IDENTITY_HEADERS
        for door in ("people", "programs")
    },
    "all headers with a bad token": (
        carrying(lambda token: {**IDENTITY_HEADERS, "Authorization": "Bearer " + token[:-8]}),
        UNKNOWN,
    ),
    "impersonation by somebody known": (masters_of_mail, (403, "forbidden")),
    "a page, by a header": (page_without_a_token, UNKNOWN),
    # programs and runners
    "of another namespace": (of_another_namespace, (403, "forbidden")),
    "program where people are": (program_where_people_are, UNKNOWN),
    "person where programs are": (person_where_programs_are, UNKNOWN),
    "program, for the API server": (program(aud=["https://kubernetes.default.svc"]), UNKNOWN),
    "program, expired": (program(exp=int(NOW) - 61), UNKNOWN),
    "runner of another job": (runner_of_another_job, (403, "foreign_pod")),
    "runner that says it is another pod": (runner_says_it_is_another_pod, (403, "foreign_pod")),
    "runner of another pod of the job": (runner_of_another_pod, (200, "go_away")),
    "runner of another namespace": (runner_of_another_namespace, (403, "foreign_pod")),
    "runner of another KubeJob": (runner_of_another_kube_job, (200, "go_away")),
    "program as runner": (program_as_runner, (403, "foreign_pod")),
    "runner without a pod": (runner_without_a_pod, (403, "foreign_pod")),
    "runner where people are": (runner_where_people_are, (404, "not_found")),
    "person as runner": (person_as_runner, (404, "not_found")),
    "enqueue in no namespace": (wanting_to_enqueue_nowhere, (422, "namespace")),
    # a good token that another site's page makes a browser send
    "another site": (authorization("Bearer {}", **{"Sec-Fetch-Site": "cross-site"}), (403, "cross_site")),
    "another host of the site": (authorization("Bearer {}", **{"Sec-Fetch-Site": "same-site"}), (403, "cross_site")),
    "another origin": (authorization("Bearer {}", Origin="https://evil.example"), (403, "cross_site")),
    "no origin": (authorization("Bearer {}", Origin="null"), (403, "cross_site")),
    "an origin that begins like ours": (
        authorization("Bearer {}", Origin="http://bgjobs.example.evil.example"),
        (403, "cross_site"),
    ),
    "another site, to programs": (
        carrying(lambda token: {"Authorization": f"Bearer {token}", "Origin": "https://evil.example"}, "programs"),
        (403, "cross_site"),
    ),
    "a form of another site": (form_of_another_site, (403, "cross_site")),
}


@pytest.mark.parametrize("name", ATTEMPTS)
async def test_refused(doors: Doors, name: str) -> None:
    attempt, (status, code) = ATTEMPTS[name]
    before = await doors.everything()
    response = await attempt(doors)
    assert (response.status_code, code in response.text) == (status, True), response.text[:2000]
    assert "ada@example.com" not in response.headers.get("WWW-Authenticate", "")
    assert await doors.everything() == before


async def test_a_runner_after_the_end_of_its_attempt(doors: Doors) -> None:
    token = doors.pod_token(doors.pod)
    assert (await runner(doors, token, doors.job_id, "finish")).json()["action"] == "recorded"
    ended = await doors.everything()
    assert (await runner(doors, token, doors.job_id, "start")).json()["action"] == "done"
    assert (await runner(doors, token, doors.job_id, "beat")).json()["action"] == "go_away"
    assert (await runner(doors, token, doors.job_id, "finish")).status_code == 200
    assert await doors.everything() == ended


async def test_the_right_ones_get_in(doors: Doors) -> None:
    """The requests above are good but for what is wrong in each."""
    beat = await runner(doors, doors.pod_token(doors.pod), doors.job_id)
    assert (beat.status_code, beat.json()["action"]) == (200, "continue")
    asked = {"Authorization": f"Bearer {doors.id_token()}", "Sec-Fetch-Site": "same-origin"}
    assert (await doors.people.get(f"/jobs/{doors.job_id}", headers=asked)).status_code == 200
    assert (await doors.people.get("/api/v1/jobs", headers=asked)).status_code == 200
    before = await doors.everything()
    again = await cancel(doors.programs, doors.job_id, {"Authorization": f"Bearer {web_token()}"})
    assert (again.status_code, again.json()["state"]) == (202, "stopping")
    assert await doors.everything() != before


async def test_the_right_person_gets_in(doors: Doors) -> None:
    response = await cancel(doors.people, doors.job_id, {"Authorization": f"bearer {doors.id_token()}"})
    assert (response.status_code, response.json()["state"]) == (202, "stopping")
    assert (await doors.world.there(doors.job_id)).stopped_by == "oidc:ada@example.com"


def test_the_cluster_and_the_provider_have_different_keys() -> None:
    assert CLUSTER_KEY.kid != RSA.kid
    assert claims()["iss"] != id_claims("x")["iss"]
    assert len(ATTEMPTS) > 100
