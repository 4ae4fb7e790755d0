"""How operator and API get into Redis, the chart's own and another: no secret is ever put into an address."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs_core.settings import CommonSettings
from tests.unit.chart.objects import OIDC, container, env, identity, merged, pod, secret

if TYPE_CHECKING:
    from tests.unit.chart.objects import Object, Render

PAIR = ("Deployment/bgjobs-operator", "Deployment/bgjobs-api")
PROXY = "Deployment/bgjobs-oauth2-proxy"


def external(**values: object) -> dict[str, Any]:
    return {"redis": {"enabled": False, "external": {"url": "rediss://redis.example:6379/0", **values}}}


def told(items: list[Object], name: str) -> dict[str, Any]:
    """What it is told of Redis; each is a setting that there is."""
    found = {key: value for key, value in env(items, name).items() if "_REDIS_" in key}
    assert {key.removeprefix("BGJOBS_").lower() for key in found} <= CommonSettings.model_fields.keys()
    return found


def key_of(name: str, key: str) -> Object:
    return {"secretKeyRef": {"name": name, "key": key}}


def test_the_charts_own_needs_a_password_only(render: Render) -> None:
    items = render()
    assert secret(items, "bgjobs-redis").keys() == {"password"}
    assert len(secret(items, "bgjobs-redis")["password"]) == 40
    assert secret(render(OIDC), "bgjobs-redis").keys() == {"password", "sessions-password"}
    for name in PAIR:
        assert told(items, name) == {
            "BGJOBS_REDIS_URL": "redis://bgjobs-redis:6379/0",
            "BGJOBS_REDIS_PASSWORD": key_of("bgjobs-redis", "password"),
        }


def test_a_secret_of_ones_own(render: Render) -> None:
    """One that was made for an earlier chart has `url` besides, which is not read any more."""
    items = render(merged(OIDC, {"redis": {"existingSecret": "mine"}}))
    assert "Secret/bgjobs-redis" not in [identity(item) for item in items]
    assert env(items, "StatefulSet/bgjobs-redis") == {
        "REDISCLI_AUTH": key_of("mine", "password"),
        "SESSIONS_PASSWORD": key_of("mine", "sessions-password"),
    }
    for name in PAIR:
        assert told(items, name)["BGJOBS_REDIS_PASSWORD"] == key_of("mine", "password")
    assert env(items, PROXY)["OAUTH2_PROXY_REDIS_PASSWORD"] == key_of("mine", "sessions-password")


ANOTHER: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (external(), {"BGJOBS_REDIS_URL": "rediss://redis.example:6379/0"}),
    (
        external(username="app", passwordSecret={"name": "theirs"}),
        {
            "BGJOBS_REDIS_URL": "rediss://redis.example:6379/0",
            "BGJOBS_REDIS_USERNAME": "app",
            "BGJOBS_REDIS_PASSWORD": key_of("theirs", "password"),
        },
    ),
    (
        external(passwordSecret={"name": "theirs", "key": "pw"}, ca={"configMap": "ca"}),
        {
            "BGJOBS_REDIS_URL": "rediss://redis.example:6379/0",
            "BGJOBS_REDIS_PASSWORD": key_of("theirs", "pw"),
            "BGJOBS_REDIS_CA": "/etc/bgjobs/redis-ca/ca.crt",
        },
    ),
    (
        external(clientCertificate={"secret": "client"}),
        {
            "BGJOBS_REDIS_URL": "rediss://redis.example:6379/0",
            "BGJOBS_REDIS_CLIENT_CERT": "/etc/bgjobs/redis-client/tls.crt",
            "BGJOBS_REDIS_CLIENT_KEY": "/etc/bgjobs/redis-client/tls.key",
        },
    ),
    (
        external(url="", existingSecret="theirs", ca={"secret": "ca"}),
        {"BGJOBS_REDIS_URL": key_of("theirs", "url"), "BGJOBS_REDIS_CA": "/etc/bgjobs/redis-ca/ca.crt"},
    ),
]


@pytest.mark.parametrize(("values", "wanted"), ANOTHER, ids=[json.dumps(values) for values, _ in ANOTHER])
def test_another_redis(render: Render, values: dict[str, Any], wanted: dict[str, Any]) -> None:
    items = render(values)
    assert [identity(item) for item in items if "redis" in identity(item)] == []
    for name in PAIR:
        assert told(items, name) == wanted


def mounted(items: list[Object], name: str) -> dict[str, Object]:
    """Volumes of a pod by the folder that they are mounted at."""
    volumes = {volume["name"]: volume for volume in pod(items, name)["volumes"]}
    return {mount["mountPath"]: volumes[mount["name"]] for mount in container(items, name)["volumeMounts"]}


@pytest.mark.parametrize("source", ["secret", "configMap"])
def test_the_authority_is_mounted_where_the_settings_say(render: Render, source: str) -> None:
    values = merged(OIDC, external(ca={source: "redis-ca", "key": "root.pem"}))
    items = render(merged(values, {"dashboard": {"sessions": {"url": "rediss://redis.example"}}}))
    for name in (*PAIR, PROXY):
        volume = mounted(items, name)["/etc/bgjobs/redis-ca"]
        assert volume[source]["items"] == [{"key": "root.pem", "path": "ca.crt"}]


def test_the_client_certificate_is_mounted_where_the_settings_say(render: Render) -> None:
    items = render(external(clientCertificate={"secret": "client", "certificateKey": "c.pem", "keyKey": "k.pem"}))
    for name in PAIR:
        volume = mounted(items, name)["/etc/bgjobs/redis-client"]
        assert volume["secret"] == {
            "secretName": "client",
            "items": [{"key": "c.pem", "path": "tls.crt"}, {"key": "k.pem", "path": "tls.key"}],
        }


def test_nothing_of_another_redis_reaches_who_has_the_charts_own(render: Render) -> None:
    more = {"ca": {"secret": "ca"}, "clientCertificate": {"secret": "client"}, "passwordSecret": {"name": "theirs"}}
    items = render({"redis": {"external": more}})
    for name in PAIR:
        assert told(items, name) == told(render(), name)
        assert mounted(items, name).keys() == mounted(render(), name).keys()
