"""Ruth signs out: what she had is good for nothing any more. And what a session is while it lasts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import httpx2
import pytest
from playwright.sync_api import expect

from installation import RELEASE, SHOP, SYSTEM, kubectl
from tests.cluster.sign_in import sessions
from tests.cluster.sign_in.front_door import COOKIE, READERS
from tests.cluster.sign_in.people import cookie_of, row, sign_in, with_cookie

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.browser.visit import Visits
    from tests.cluster.sign_in.conftest import Jobs
    from tests.cluster.sign_in.front_door import FrontDoor


@pytest.fixture
def page(visits: Visits, door: FrontDoor) -> Page:
    """Hers, on the jobs of the shop."""
    opened = visits.open(f"/jobs?ns={SHOP}")
    sign_in(opened, door, "ruth", READERS)
    return opened


def test_she_signs_out(door: FrontDoor, page: Page, jobs: Jobs) -> None:
    expect(row(page, jobs.shop_ended)).to_be_visible()
    cookie = cookie_of(page)
    tokens = sessions.tokens_of(cookie)
    page.get_by_role("link", name="Sign out").click()
    expect(page).to_have_url(re.compile("/signed-out$"))
    expect(page.get_by_role("heading", name="You have signed out")).to_be_visible()
    expect(page.get_by_text("ruth@")).to_have_count(0)

    # The session is gone, here and there.
    assert not sessions.exists(cookie)
    assert COOKIE not in {one.get("name") for one in page.context.cookies()}
    refresh = {"grant_type": "refresh_token", "refresh_token": tokens.refresh, "client_id": "bgjobs"}
    answer = httpx2.post(f"{door.issuer}/token", data=refresh | {"client_secret": "bgjobs-secret"}, trust_env=False)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_grant")

    # The old cookie opens nothing.
    with with_cookie(door, cookie) as thief:
        assert thief.get("/jobs").headers["Location"].startswith(door.issuer)
        for path in ("/api/v1/jobs", f"/api/v1/jobs/{jobs.shop_ended}", "/oauth2/auth", "/oauth2/userinfo"):
            assert thief.get(path).status_code == 401, path

    # And back shows nothing of what was there.
    page.go_back()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    expect(page.get_by_text("shop.jobs")).to_have_count(0)


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(page: Page) -> None:
    (cookie,) = [one for one in page.context.cookies() if one.get("name") == COOKIE]
    assert cookie.get("httpOnly") is True
    assert cookie.get("sameSite") == "Lax"
    assert cookie.get("secure") is False  # over http there is no other way; over https it is, and `__Host-`
    assert (cookie.get("path"), page.evaluate("document.cookie")) == ("/", "")
    value = cookie_of(page)
    assert len(value) < 300
    assert "eyJ" not in value  # no token in it


def test_the_session_is_in_redis_where_its_user_sees_nothing_else(page: Page, jobs: Jobs) -> None:
    cookie = cookie_of(page)
    assert re.fullmatch(f"{COOKIE}-[0-9a-f]{{32}}", sessions.key_of(cookie))
    assert sessions.exists(cookie)
    lasts = int(sessions.redis(f"redis-cli -n 1 ttl {sessions.key_of(cookie)}"))
    assert 0 < lasts <= 12 * 3600
    # Who has Redis alone has no token: what is there is opened by the cookie.
    assert sessions.redis(f"redis-cli -n 1 --raw get {sessions.key_of(cookie)} | grep -ac eyJ || true").strip() == "0"

    job = _key_of_a_job(jobs.shop_ended)
    refused = (
        "acl whoami",
        f"type '{job}'",
        f"hgetall '{job}'",
        f"exists '{job}'",
        f"get '{job}'",
        f"set '{job}' x",
        f"del '{job}'",
        f"eval 'return redis.call(\"get\", KEYS[1])' 1 '{job}'",
        f'eval \'return redis.call("get", "{job}")\' 0',
        "keys '*'",
        "scan 0",
        "flushall",
        "config get requirepass",
        "acl list",
        "monitor",
    )
    (seen, *answers) = _as_sessions(f"-n 1 exists {sessions.key_of(cookie)}", *refused)
    assert seen == "1"
    for command, answer in zip(refused, answers, strict=True):
        assert re.match(r"NOPERM|ERR .*(can't access|No permissions)", answer), (command, answer)
    assert sessions.redis(f"redis-cli exists '{job}'").strip() == "1"


def _as_sessions(*commands: str) -> list[str]:
    """What Redis answers to oauth2-proxy's user, command by command."""
    ask = 'REDISCLI_AUTH="$SESSIONS_PASSWORD" timeout 10 redis-cli --user sessions --no-auth-warning'
    return [
        one.strip() for one in sessions.redis("echo; echo ==;".join(f"{ask} {one};" for one in commands)).split("==")
    ]


def _key_of_a_job(job_id: str) -> str:
    found = sessions.redis(f"redis-cli --scan --pattern '*{job_id}'").split()
    assert found, "the administrator sees it"
    return found[0]


def test_no_pod_of_the_proxy_knows_redis_password() -> None:
    names = kubectl(
        "get", "deployment", f"{RELEASE}-oauth2-proxy", "-n", SYSTEM,
        "-o", "jsonpath={.spec.template.spec.containers[*].env[*].valueFrom.secretKeyRef.key}",
    ).split()  # fmt: skip
    assert sorted(names) == ["client-secret", "cookie-secret", "sessions-password"]
