"""The front door: what oauth2-proxy and the API are told, and where secrets are."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.cli.reaching import kubectl
from bgjobs_api.settings import ApiSettings
from tests.unit.chart.objects import OIDC, TRIAL, at, container, env, identity, merged, pick, pod, secret

if TYPE_CHECKING:
    from tests.unit.chart.objects import Render

PROXY, API = "Deployment/bgjobs-oauth2-proxy", "Deployment/bgjobs-api"
REDIS = "StatefulSet/bgjobs-redis"
EXTERNAL = {"redis": {"enabled": False, "external": {"url": "rediss://redis.example", "ca": {"secret": "redis-ca"}}}}


def config(items: list[dict[str, Any]]) -> dict[str, Any]:
    return tomllib.loads(pick(items, "ConfigMap/bgjobs-oauth2-proxy")["data"]["oauth2-proxy.cfg"])


def test_what_oauth2_proxy_is_told(render: Render) -> None:
    assert config(render(OIDC)) == {
        "http_address": "0.0.0.0:4180",
        "upstreams": ["http://bgjobs-api-dashboard.tools.svc:80/"],
        "upstream_timeout": "30s",
        "flush_interval": "100ms",
        "silence_ping_logging": True,
        "provider": "oidc",
        "oidc_issuer_url": "https://id.example.com",
        "client_id": "bgjobs",
        "scope": "openid email profile",
        "redirect_url": "https://jobs.example.com/oauth2/callback",
        "code_challenge_method": "S256",
        "insecure_oidc_skip_nonce": False,
        "oidc_email_claim": "email",
        "oidc_groups_claim": "groups",
        "email_domains": ["*"],
        "skip_provider_button": True,
        "whitelist_domains": [],
        "skip_auth_routes": ["GET=^/signed-out$", "GET=^/static/[0-9a-f]{16}/(vendor/)?[a-z][a-z.]*$"],
        "api_routes": ["^/api/", "^/static/"],
        "pass_authorization_header": True,
        "pass_basic_auth": False,
        "pass_user_headers": False,
        "pass_access_token": False,
        "set_xauthrequest": False,
        "set_authorization_header": False,
        "skip_auth_strip_headers": True,
        "cookie_name": "__Host-bgjobs",
        "cookie_secure": True,
        "cookie_httponly": True,
        "cookie_samesite": "lax",
        "cookie_path": "/",
        "cookie_expire": "12h",
        "cookie_refresh": "4m",
        "cookie_csrf_per_request": True,
        "cookie_csrf_per_request_limit": 5,
        "session_store_type": "redis",
        "redis_connection_url": "redis://bgjobs-redis:6379/1",
        "redis_username": "sessions",
    }


@pytest.mark.parametrize(
    ("values", "differs"),
    [
        (
            {"dashboard": {"scheme": "http", "host": "10.0.0.1:30080"}},
            {
                "redirect_url": "http://10.0.0.1:30080/oauth2/callback",
                "cookie_name": "bgjobs",
                "cookie_secure": False,
            },
        ),
        (at("dashboard.ingress.enabled", True), {"reverse_proxy": True}),
        (
            at("dashboard.ingress", {"enabled": True, "trustedProxies": ["10.244.0.0/16"]}),
            {"reverse_proxy": True, "trusted_proxy_ips": ["10.244.0.0/16"]},
        ),
        (
            at("dashboard.oidc", {"usernameClaim": "sub", "groupsClaim": "roles", "scopes": ["openid", "groups"]}),
            {"oidc_email_claim": "sub", "oidc_groups_claim": "roles", "scope": "openid groups"},
        ),
        (
            at("dashboard.oidc.logoutUrl", "https://id.example.com/end?id_token_hint={id_token}&x=1"),
            {"backend_logout_url": "https://id.example.com/end?id_token_hint={id_token}&x=1"},
        ),
        (
            at("dashboard.oidc.caConfigMap", "id-ca"),
            {"provider_ca_files": ["/etc/bgjobs/oidc-ca/ca.crt"], "use_system_trust_store": True},
        ),
        (
            at("dashboard.sessions", {"store": "cookie", "refresh": "30s", "expire": "1h30m"}),
            {
                "session_store_type": "cookie",
                "cookie_refresh": "30s",
                "cookie_expire": "1h30m",
                "redis_connection_url": None,
                "redis_username": None,
            },
        ),
        (
            merged(EXTERNAL, at("dashboard.sessions.existingSecret", "sessions")),
            {
                "redis_connection_url": None,
                "redis_username": None,
                "redis_ca_path": "/etc/bgjobs/redis-ca/ca.crt",
            },
        ),
        (
            at("dashboard.sessions", {"url": "rediss://other.example:6379/2", "username": "bgjobs"}),
            {"redis_connection_url": "rediss://other.example:6379/2", "redis_username": "bgjobs"},
        ),
    ],
    ids=json.dumps,
)
def test_what_a_value_changes_in_it(render: Render, values: dict[str, Any], differs: dict[str, Any]) -> None:
    before, after = config(render(OIDC)), config(render(merged(OIDC, values)))
    changed = {key for key in before | after if before.get(key) != after.get(key)}
    assert {key: after.get(key) for key in changed} == differs


def test_no_value_can_add_a_line_to_it(render: Render) -> None:
    odd = 'x"\nskip_jwt_bearer_tokens = true\n#'
    found = config(render(merged(OIDC, at("dashboard.oidc.clientId", odd))))
    assert found["client_id"] == odd
    assert "skip_jwt_bearer_tokens" not in found


def test_oauth2_proxy_starts_anew_with_a_new_configuration(render: Render) -> None:
    def checksum(*values: dict[str, Any]) -> str:
        template = pick(render(merged(OIDC, *values)), PROXY)["spec"]["template"]
        return template["metadata"]["annotations"]["checksum/config"]

    assert checksum() == checksum(at("api.replicas", 5))
    assert checksum() != checksum(at("dashboard.sessions.expire", "1h"))


COMMON = (
    "BGJOBS_REDIS_URL",
    "BGJOBS_REDIS_PASSWORD",
    "BGJOBS_NAMESPACE",
    "BGJOBS_JOB_NAMESPACES",
    "BGJOBS_LOG_LEVEL",
    "BGJOBS_ROLES",
    "BGJOBS_REDISCLI",
)
TOLD: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "off": ({}, {"BGJOBS_DASHBOARD_AUTH": "off"}),
    "none": (TRIAL, {"BGJOBS_DASHBOARD_AUTH": "none", "BGJOBS_DASHBOARD_PORT": "8090"}),
    "oidc": (
        OIDC,
        {
            "BGJOBS_DASHBOARD_AUTH": "oidc",
            "BGJOBS_DASHBOARD_PORT": "8090",
            "BGJOBS_OIDC_ISSUER_URL": "https://id.example.com",
            "BGJOBS_OIDC_CLIENT_ID": "bgjobs",
            "BGJOBS_OIDC_USERNAME_CLAIM": "email",
            "BGJOBS_OIDC_USERNAME_PREFIX": "oidc:",
            "BGJOBS_OIDC_GROUPS_CLAIM": "groups",
            "BGJOBS_OIDC_GROUPS_PREFIX": "oidc:",
        },
    ),
}


@pytest.mark.parametrize("auth", TOLD)
def test_what_the_api_is_told(render: Render, monkeypatch: pytest.MonkeyPatch, auth: str) -> None:
    values, wanted = TOLD[auth]
    found = {name: value for name, value in env(render(values), API).items() if name not in COMMON}
    assert found == wanted
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    settings = ApiSettings()
    assert settings.dashboard_auth == auth
    assert settings.dashboard_port == 8090


def test_a_provider_without_tls_or_with_an_authority_of_ones_own(render: Render) -> None:
    more = {"issuerUrl": "http://10.0.0.1:5556/oidc", "allowHttp": True, "caConfigMap": "id-ca"}
    items = render(merged(OIDC, at("dashboard.oidc", more)))
    assert env(items, API)["BGJOBS_OIDC_ALLOW_HTTP"] == "true"
    assert env(items, API)["BGJOBS_OIDC_CA_FILE"] == "/etc/bgjobs/oidc-ca/ca.crt"
    for name in (API, PROXY):
        mount = {"name": "oidc-ca", "mountPath": "/etc/bgjobs/oidc-ca", "readOnly": True}
        assert mount in container(items, name)["volumeMounts"]
        (volume,) = [volume for volume in pod(items, name)["volumes"] if volume["name"] == "oidc-ca"]
        assert volume["configMap"] == {"name": "id-ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}


def test_secrets_come_from_secrets(render: Render) -> None:
    items = render(OIDC)
    made = secret(items, "bgjobs-oauth2-proxy")
    assert made["client-secret"] == "hush-hush"
    assert len(made["cookie-secret"]) == 32
    assert env(items, PROXY) == {
        "OAUTH2_PROXY_CLIENT_SECRET": {"secretKeyRef": {"name": "bgjobs-oauth2-proxy", "key": "client-secret"}},
        "OAUTH2_PROXY_COOKIE_SECRET": {"secretKeyRef": {"name": "bgjobs-oauth2-proxy", "key": "cookie-secret"}},
        "OAUTH2_PROXY_REDIS_PASSWORD": {"secretKeyRef": {"name": "bgjobs-redis", "key": "sessions-password"}},
    }
    mine = at("dashboard.oidc", {"clientSecret": "", "existingSecret": "mine"})
    assert env(render(merged(OIDC, mine)), PROXY)["OAUTH2_PROXY_CLIENT_SECRET"]["secretKeyRef"]["name"] == "mine"


def test_sessions_may_be_kept_elsewhere(render: Render) -> None:
    elsewhere = merged(OIDC, at("dashboard.sessions.existingSecret", "sessions"))
    found = env(render(elsewhere), PROXY)["OAUTH2_PROXY_REDIS_CONNECTION_URL"]
    assert found == {"secretKeyRef": {"name": "sessions", "key": "url"}}
    beside = {"url": "rediss://other.example", "passwordSecret": {"name": "theirs", "key": "pw"}}
    by_parts = merged(OIDC, at("dashboard.sessions", beside))
    assert env(render(by_parts), PROXY)["OAUTH2_PROXY_REDIS_PASSWORD"] == {
        "secretKeyRef": {"name": "theirs", "key": "pw"}
    }
    assert "sessions-password" not in secret(render(by_parts), "bgjobs-redis")
    for values in (elsewhere, merged(OIDC, at("dashboard.sessions.store", "cookie"))):
        items = render(values)
        assert "OAUTH2_PROXY_REDIS_PASSWORD" not in env(items, PROXY)
        assert "--user" not in container(items, REDIS)["args"]
        assert "sessions-password" not in secret(items, "bgjobs-redis")


@pytest.mark.parametrize(("scheme", "keys"), [("https", "~__Host-bgjobs-*"), ("http", "~bgjobs-*")])
def test_sessions_see_nothing_of_the_jobs(render: Render, scheme: str, keys: str) -> None:
    items = render(merged(OIDC, at("dashboard.scheme", scheme)))
    args = container(items, REDIS)["args"]
    user = args[args.index("--user") + 1 :]
    assert user[:5] == ["sessions", "on", ">$(SESSIONS_PASSWORD)", keys, "-@all"]
    assert [rule for rule in user[5:] if not rule.startswith("+")] == []
    # The names of sessions begin with that of the cookie; all keys of jobs begin with {bgjobs}.
    assert keys == f"~{config(items)['cookie_name']}-*"
    made = secret(items, "bgjobs-redis")
    assert made["sessions-password"] != made["password"]


@pytest.mark.parametrize(
    "values",
    [
        merged(OIDC, at("dashboard.ingress.enabled", True)),
        {"redis": {"enabled": False, "external": {"url": "rediss://redis.example", "passwordSecret": {"name": "p"}}}},
    ],
    ids=json.dumps,
)
def test_a_secret_is_in_secrets_only(render: Render, values: dict[str, Any]) -> None:
    items = render(values)
    made = [
        text for item in items if item["kind"] == "Secret" for text in secret(items, item["metadata"]["name"]).values()
    ]
    rest = json.dumps([item for item in items if item["kind"] != "Secret"])
    assert [text for text in [*made, "hush-hush"] if text in rest] == []


def test_the_ingress_leads_to_oauth2_proxy(render: Render) -> None:
    tls = [{"secretName": "jobs-tls", "hosts": ["jobs.example.com"]}]
    ingress = {"enabled": True, "className": "nginx", "annotations": {"a": "b"}, "tls": tls}
    more = {"dashboard": {"host": "jobs.example.com:8443", "ingress": ingress}}
    found = pick(render(merged(OIDC, more)), "Ingress/bgjobs-dashboard")
    assert found["metadata"]["annotations"] == {"a": "b"}
    assert found["spec"]["ingressClassName"] == "nginx"
    assert found["spec"]["tls"] == tls
    (rule,) = found["spec"]["rules"]
    assert rule["host"] == "jobs.example.com"
    backend = {"service": {"name": "bgjobs-dashboard", "port": {"name": "http"}}}
    assert rule["http"]["paths"] == [{"path": "/", "pathType": "Prefix", "backend": backend}]


@pytest.mark.parametrize("role", ["viewer", "submitter"])
def test_what_everybody_may_do_in_a_trial(render: Render, role: str) -> None:
    items = render({"jobNamespaces": ["shop", "mail"], "dashboard": {"auth": "none", "trialRole": role}})
    bound = [item for item in items if identity(item) == "RoleBinding/bgjobs-trial"]
    assert [item["metadata"]["namespace"] for item in bound] == ["shop", "mail"]
    for item in bound:
        assert item["roleRef"]["name"] == f"bgjobs-{role}"
        assert [(subject["kind"], subject["name"]) for subject in item["subjects"]] == [("Group", "bgjobs:trial")]


@pytest.mark.parametrize("values", [{}, OIDC], ids=["off", "oidc"])
def test_nobody_is_bound_to_the_trial_otherwise(render: Render, values: dict[str, Any]) -> None:
    assert "bgjobs:trial" not in str(render(values))


def test_options_of_ones_own_come_last(render: Render) -> None:
    more = at("dashboard.proxy.extraArgs", ["--allowed-group=developers"])
    assert container(render(merged(OIDC, more)), PROXY)["args"] == [
        "--config=/etc/oauth2-proxy/oauth2-proxy.cfg",
        "--allowed-group=developers",
    ]


def test_a_name_stays_a_text(render: Render) -> None:
    odd = "1e3"  # a name to Kubernetes, a number to YAML
    own = {"enabled": False, "external": {"url": "rediss://r", "ca": {"secret": odd, "key": odd}}}
    redis = merged(
        {"redis": own},
        at("redis.external.passwordSecret", {"name": odd, "key": odd}),
        at("redis.external.clientCertificate", {"secret": odd, "certificateKey": odd, "keyKey": odd}),
        at("redis.external.username", odd),
    )
    more: dict[str, Any] = {
        "auth": "oidc",
        "oidc": {"clientSecret": "", "existingSecret": odd, "caConfigMap": odd},
        "sessions": {"existingSecret": odd},
        "ingress": {"enabled": True, "className": odd},
    }
    kept = {"redis": {"existingSecret": odd, "storage": {"storageClass": odd}}}
    for values in (redis, kept):
        items = render(merged(OIDC, {"dashboard": more, "priorityClassName": odd}, values))
        assert "1000.0" not in json.dumps(items)
        assert json.dumps(items).count(json.dumps(odd)) > 10


def test_the_command_finds_one_service_of_the_api(render: Render) -> None:
    for values in ({}, TRIAL, OIDC):
        services = [item for item in render(values) if item["kind"] == "Service"]
        labels = {name: value for name, _, value in (pair.partition("=") for pair in kubectl.SELECTOR.split(","))}
        found = [item["metadata"]["name"] for item in services if labels.items() <= item["metadata"]["labels"].items()]
        assert found == ["bgjobs-api"]


def test_the_dashboard_can_be_published_without_an_ingress(render: Render) -> None:
    service = {"type": "NodePort", "nodePort": 30080, "annotations": {"a": "b"}}
    found = pick(render(merged(OIDC, at("dashboard.service", service))), "Service/bgjobs-dashboard")
    assert (found["spec"]["type"], found["metadata"]["annotations"]) == ("NodePort", {"a": "b"})
    assert [port["nodePort"] for port in found["spec"]["ports"]] == [30080]
