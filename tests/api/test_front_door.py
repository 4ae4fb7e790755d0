"""The two ports as people and administrators meet them: pages, signing in and out, readiness, settings."""

from __future__ import annotations

import asyncio
import gc
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from aiohttp import web

from bgjobs_api import front_door
from bgjobs_api.http import listening
from bgjobs_api.identity import access, trial
from bgjobs_api.identity.access_refusal import AccessRefusal
from bgjobs_api.identity.caller import Identity
from bgjobs_api.pages.shared.sign_in import way_back
from bgjobs_api.settings import ApiSettings
from tests.api.doors import ADA, open_doors, web_token
from tests.api.forgery import STRANGER
from tests.api.pages.site import Document
from tests.api.test_serving import COMMAND, free_port
from tests.api.tokens import sign
from tests.api.world import FakeAccess

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from bgjobs_api.clock import Moment
    from bgjobs_api.identity.access import Action
    from tests.api.doors import Doors


@pytest.fixture
async def doors() -> AsyncGenerator[Doors]:
    async with open_doors() as made:
        yield made


async def look(doors: Doors, path: str, **headers: str) -> httpx2.Response:
    return await doors.people.get(path, headers={"Authorization": f"Bearer {doors.id_token()}", **headers})


# --- signing in and out


async def test_who_has_signed_in_sees_their_name_and_the_way_out(doors: Doors) -> None:
    page = Document((await look(doors, "/jobs?state=running")).text)
    assert ADA in page.text
    assert "/oauth2/sign_out?rd=%2Fsigned-out" in page.links


async def test_who_has_signed_out_is_told_so_and_nothing_else(doors: Doors) -> None:
    response = await doors.people.get("/signed-out")
    assert response.status_code == 200
    page = Document(response.text)
    assert "You have signed out" in page.text
    assert [one for one in page.links if one.startswith("/oauth2/")] == ["/oauth2/start?rd=%2Fjobs"]
    assert "Sign out" not in page.text
    assert (await doors.people.get("/signed-out", headers={"HX-Request": "true"})).status_code == 200


async def test_where_nobody_signs_in_nobody_signs_out(doors: Doors) -> None:
    transport = httpx2.ASGITransport(front_door.for_trial(replace(doors.programs_app.state.deps, access=FakeAccess())))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8090") as http:
        response = await http.get("/jobs")
        assert response.status_code == 200
        assert "/oauth2/" not in response.text
        assert (await http.get("/signed-out")).headers["Location"] == "/jobs"
        assert trial.NOTICE in Document(response.text).text
        refused = await http.get("/api/v1/jobs", headers={"Authorization": f"Bearer {web_token()}"})
        assert (refused.status_code, refused.json()["code"]) == (401, "unauthenticated")
        assert (await http.post(f"/runner/v1/jobs/{doors.job_id}/start")).status_code == 404


async def test_in_a_trial_rbac_decides_for_one_user(doors: Doors) -> None:
    asked: list[Identity] = []

    class Nothing:
        async def allowed(self, caller: Identity, action: Action, namespace: str, now: Moment) -> bool:  # noqa: ARG002
            asked.append(caller)
            return False

    transport = httpx2.ASGITransport(front_door.for_trial(replace(doors.programs_app.state.deps, access=Nothing())))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost:8090") as http:
        response = await http.get("/jobs", headers={"X-Forwarded-User": "ada", "Impersonate-Group": "system:masters"})
    assert response.status_code == 403
    assert "--as bgjobs:trial --as-group bgjobs:trial" in Document(response.text).text
    assert {(one.user, one.groups) for one in asked} == {("bgjobs:trial", ("bgjobs:trial",))}


async def test_a_page_without_a_sign_in_leads_to_it_and_back(doors: Doors) -> None:
    response = await doors.people.get("/jobs?state=failed&ns=shop")
    assert response.status_code == 401
    page = Document(response.text)
    (link,) = [one for one in page.links if one.startswith("/oauth2/")]
    assert parse_qs(urlsplit(link).query) == {"rd": ["/jobs?state=failed&ns=shop"]}
    assert "Sign out" not in page.text


async def test_whose_token_cannot_be_used_is_told_why_and_can_sign_out(doors: Doors) -> None:
    """Signing in again alone would bring the same token, where the provider remembers people."""
    token = doors.id_token(groups=["system:masters"])
    response = await doors.people.get("/jobs", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 401
    page = Document(response.text)
    assert "Your sign-in cannot be used" in page.text
    assert "begins with 'system:'" in page.text
    assert [one for one in page.links if one.startswith("/oauth2/")] == [
        "/oauth2/start?rd=%2Fjobs",
        "/oauth2/sign_out?rd=%2Fsigned-out",
    ]


async def test_a_live_part_without_a_sign_in_is_a_banner(doors: Doors) -> None:
    response = await doors.people.get("/jobs?state=failed", headers={"HX-Request": "true"})
    assert (response.status_code, response.headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert "<html" not in response.text
    assert Document(response.text).text.startswith("Sign-in has run out: sign in again")
    assert Document(response.text).links == ["/oauth2/start?rd=%2Fjobs%3Fstate%3Dfailed"]
    # The page has what htmx needs to show it.
    whole = (await look(doors, "/jobs")).text
    assert 'hx-status:401:inherited="swap:innerMorph target:#signed-out"' in whole
    assert '<div id="signed-out"></div>' in whole


WAYS_BACK = [
    ("GET", "/jobs", "", "/jobs"),
    ("GET", "/jobs", "state=failed&ns=a", "/jobs?state=failed&ns=a"),
    ("GET", "/jobs/ü", "", "/jobs/%C3%BC"),
    ("GET", "/", "", "/"),
    ("GET", "//evil.example/x", "", "/jobs"),
    ("GET", "///evil.example", "", "/jobs"),
    ("GET", "/\\evil.example", "", "/jobs"),
    ("GET", "/\t/evil.example", "", "/jobs"),
    ("GET", "/\n/evil.example", "", "/jobs"),
    ("GET", "https://evil.example/", "", "/jobs"),
    ("GET", "javascript:alert(1)", "", "/jobs"),
    ("GET", "", "", "/jobs"),
    ("GET", "*", "", "/jobs"),
    ("GET", "/oauth2/start", "rd=/oauth2/start", "/jobs"),
    ("GET", "/jobs", "a=\r\nb", "/jobs"),
    ("POST", "/jobs/x/rerun", "", "/jobs"),
]


@pytest.mark.parametrize(("method", "path", "query", "wanted"), WAYS_BACK)
def test_the_way_back_is_on_this_site(method: str, path: str, query: str, wanted: str) -> None:
    assert way_back(method, path, query) == wanted


async def test_the_host_header_does_not_change_the_way_back(doors: Doors) -> None:
    response = await doors.people.get("/jobs?ns=shop", headers={"Host": "evil.example/elsewhere?x="})
    assert response.status_code == 401
    assert "rd=%2Fjobs%3Fns%3Dshop" in response.text
    assert "evil" not in response.text.partition("<body")[2].partition("signed-out")[0]


# --- what RBAC forbids


async def test_what_a_person_may_not_do_is_shown_with_what_is_missing(doors: Doors) -> None:
    some = FakeAccess()
    for verb, target in (("create", "backgroundjobrequests/cancel"), ("get", "backgroundjobrequests/log")):
        some.deny(verb, target, "shop")
    doors.people_app.state.deps = replace(doors.people_app.state.deps, access=some)
    page = Document((await look(doors, f"/jobs/{doors.job_id}")).text)
    assert "create" in page.text
    assert "backgroundjobrequests/cancel" in page.text
    refused = await look(doors, f"/jobs/{doors.job_id}/cancel")
    assert refused.status_code == 403
    assert f"{ADA} cannot create backgroundjobrequests/cancel" in Document(refused.text).text


def test_a_refusal_can_be_checked_with_kubectl_as_it_stands() -> None:
    caller = Identity("oidc:o'neil x", ("oidc:billing", "oidc:on call", "system:authenticated"), "")
    said = AccessRefusal(caller, access.CANCEL, ("shop",), "jobs").detail
    assert """--as 'oidc:o'"'"'neil x' --as-group oidc:billing --as-group 'oidc:on call'`""" in said
    assert "system:authenticated" not in said


@pytest.mark.parametrize(
    ("user", "action", "line"),
    [
        (ADA, access.LIST, f"bgjobs-viewer:{ADA} --clusterrole bgjobs-viewer --user {ADA}"),
        (ADA, access.READ_LOG, f"bgjobs-viewer:{ADA} --clusterrole bgjobs-viewer --user {ADA}"),
        (ADA, access.LIST_QUEUES, f"bgjobs-viewer:{ADA} --clusterrole bgjobs-viewer --user {ADA}"),
        (ADA, access.CANCEL, f"bgjobs-submitter:{ADA} --clusterrole bgjobs-submitter --user {ADA}"),
        (ADA, access.SEE_STACK, f"bgjobs-submitter:{ADA} --clusterrole bgjobs-submitter --user {ADA}"),
        (ADA, access.ENQUEUE, f"bgjobs-submitter:{ADA} --clusterrole bgjobs-submitter --user {ADA}"),
        (
            ADA,
            access.PAUSE_QUEUE,
            f"bgjobs-operator:{ADA} --clusterrole bgjobs-operator --user {ADA}",
        ),
        (
            "https://id.example/o'neil",
            access.GET,
            """'bgjobs-viewer:https:--id.example-o'"'"'neil' --clusterrole bgjobs-viewer """
            """--user 'https://id.example/o'"'"'neil'""",
        ),
        (
            "system:serviceaccount:shop:web",
            access.ENQUEUE,
            "bgjobs-submitter:shop:web --clusterrole bgjobs-submitter --serviceaccount shop:web",
        ),
    ],
)
def test_a_refusal_has_the_line_that_allows_it(user: str, action: Action, line: str) -> None:
    said = AccessRefusal(Identity(user, (), ""), action, ("shop",), "bgjobs").remedy
    assert said == f"kubectl create rolebinding {line} --namespace shop"


async def test_who_may_nothing_at_all_is_told_so_with_the_line_for_one_namespace(doors: Doors) -> None:
    nobody = {"Authorization": f"Bearer {doors.id_token(email='new@example.com')}"}
    page = Document((await doors.people.get("/jobs", headers=nobody)).text)
    assert "there is nothing here for oidc:new@example.com yet" in page.text
    assert "cannot list backgroundjobrequests of bgjobs.dev in any of the 2 namespaces of jobs" in page.text
    assert "--clusterrole bgjobs-viewer --user oidc:new@example.com --namespace shop" in page.text
    assert "shop.jobs" not in page.text


# --- readiness


async def test_a_provider_that_is_away_is_a_warning_on_both_ports(doors: Doors) -> None:
    doors.provider.answers["/keys"] = web.Response(status=500)
    doors.world.clock.now += 300
    assert (await look(doors, "/api/v1/jobs")).status_code == 200  # its key is known: nobody needs to be asked
    unknown = sign(STRANGER, {"iss": doors.provider.url})
    refused = await doors.people.get("/api/v1/jobs", headers={"Authorization": f"Bearer {unknown}"})
    assert (refused.status_code, refused.json()["code"]) == (503, "keys_unavailable")
    for port in (doors.people, doors.programs):
        ready = await port.get("/readyz")
        assert (ready.status_code, ready.json()["problems"]) == (200, {})
        (warning,) = ready.json()["warnings"]
        assert warning["code"] == "issuer_unreachable"
        assert "identity provider cannot be asked" in warning["detail"]
        assert f"{doors.provider.url}/.well-known/openid-configuration must answer" in warning["remedy"]


# --- settings


GOOD = {
    "BGJOBS_DASHBOARD_AUTH": "oidc",
    "BGJOBS_OIDC_ISSUER_URL": "https://login.example",
    "BGJOBS_OIDC_CLIENT_ID": "bgjobs",
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"BGJOBS_OIDC_ISSUER_URL": ""}, "BGJOBS_OIDC_ISSUER_URL is needed"),
        ({"BGJOBS_OIDC_CLIENT_ID": ""}, "BGJOBS_OIDC_CLIENT_ID is needed"),
        ({"BGJOBS_OIDC_USERNAME_CLAIM": ""}, "BGJOBS_OIDC_USERNAME_CLAIM is needed"),
        ({"BGJOBS_OIDC_ISSUER_URL": "http://login.example"}, "must begin with https://"),
        ({"BGJOBS_OIDC_ISSUER_URL": "ftp://login.example", "BGJOBS_OIDC_ALLOW_HTTP": "true"}, "must begin with"),
        ({"BGJOBS_OIDC_ISSUER_URL": "https://"}, "with a host"),
        ({"BGJOBS_OIDC_ISSUER_URL": "https://a:b@login.example"}, "without user"),
        ({"BGJOBS_OIDC_USERNAME_PREFIX": ""}, "BGJOBS_OIDC_USERNAME_PREFIX must not be empty"),
        ({"BGJOBS_OIDC_GROUPS_PREFIX": ""}, "BGJOBS_OIDC_GROUPS_PREFIX must not be empty"),
        ({"BGJOBS_OIDC_GROUPS_PREFIX": "system:"}, "_GROUPS_PREFIX must not make names that begin with 'system:'"),
        ({"BGJOBS_OIDC_USERNAME_PREFIX": "sys"}, "_USERNAME_PREFIX must not make names that begin with 'system:'"),
        ({"BGJOBS_OIDC_CA_FILE": "/nowhere"}, "BGJOBS_OIDC_CA_FILE /nowhere: No such file"),
        ({"BGJOBS_DASHBOARD_PORT": "8080"}, "must differ"),
        ({"BGJOBS_DASHBOARD_AUTH": "maybe"}, "BGJOBS_DASHBOARD_AUTH: Input should be 'off', 'oidc' or 'none'"),
    ],
)
def test_settings_that_are_refused(monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], said: str) -> None:
    for name, value in (GOOD | changes).items():
        monkeypatch.setenv(name, value)
    if "Input" in said:
        said = "Input should be"
    with pytest.raises(ValueError, match=said.replace(".", r"\.")):
        ApiSettings()


def test_the_process_says_what_is_wrong_in_one_line() -> None:
    environ = GOOD | {"BGJOBS_OIDC_USERNAME_PREFIX": "", "BGJOBS_REDIS_URL": "redis://:secret-word@x"}
    ended = subprocess.run(COMMAND, env=environ, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("bgjobs-api: BGJOBS_OIDC_USERNAME_PREFIX must not be empty")
    assert ended.stderr.count("\n") == 1
    assert "secret-word" not in ended.stderr


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (ApiSettings().dashboard_auth, ApiSettings().dashboard_port) == ("off", 8090)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)
    rules = ApiSettings().id_token_rules
    assert (rules.issuer, rules.client_id) == ("https://login.example", "bgjobs")
    assert (rules.username_claim, rules.username_prefix) == ("email", "oidc:")
    assert (rules.groups_claim, rules.groups_prefix) == ("groups", "oidc:")


# --- servers


async def test_one_that_ends_takes_the_others_with_it(doors: Doors) -> None:
    made = [(listening.make_server(doors.programs_app, 1), listening.listen("127.0.0.1", 0)) for _ in range(2)]
    running = asyncio.create_task(listening.run_servers(made))
    while not (running.done() or all(one.started for one, _ in made)):  # noqa: ASYNC110 - uvicorn has no event
        await asyncio.sleep(0.01)
    made[0][0].should_exit = True
    assert await running == 0
    assert not any(one.servers[0].is_serving() for one, _ in made)


async def test_the_collector_passes_over_the_program(doors: Doors) -> None:
    """A body of many parts makes it look through everything, and nobody is answered until it has."""
    gc.unfreeze()
    server = listening.make_server(doors.programs_app, 1)
    running = asyncio.create_task(listening.run_servers([(server, listening.listen("127.0.0.1", 0))]))
    try:
        while not server.started and not running.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        assert not any(one is listening.__dict__ for one in gc.get_objects())
        assert len(gc.get_objects()) < gc.get_freeze_count() / 10
    finally:
        server.should_exit = True
        await running
        gc.unfreeze()


def test_a_port_that_is_taken() -> None:
    port = free_port()
    with listening.listen("127.0.0.1", port), pytest.raises(listening.PortError, match=f"port {port}: .*in use"):
        listening.listen("127.0.0.1", port)
