"""values.yaml and its schema: what is there is described, and what is not described is refused."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml
from helm_python import HelmRenderError, HelmValuesError

from bgjobs_api.identity.id_tokens import prefix_objection
from tests.unit.chart.objects import OIDC, TRIAL, at, merged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from helm_python import Chart

    from tests.unit.chart.objects import Render


def external(**values: object) -> dict[str, Any]:
    """Values for a Redis of one's own."""
    return {"redis": {"enabled": False, "external": values}}


def schemas(node: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of the schema that lists properties."""
    if isinstance(node, dict):
        schema = cast("dict[str, Any]", node)
        if isinstance(schema.get("properties"), dict):
            yield path, schema
        for key, value in schema.items():
            yield from schemas(value, f"{path}/{key}")
    elif isinstance(node, list):
        for number, value in enumerate(cast("list[Any]", node)):
            yield from schemas(value, f"{path}/{number}")


def test_no_object_of_the_schema_is_open(chart: Chart) -> None:
    found = dict(schemas(chart.schema))
    assert len(found) > 10
    assert [path for path, schema in found.items() if schema["additionalProperties"] is not False] == []


def test_no_default_is_undescribed(chart: Chart) -> None:
    schema = chart.schema
    assert schema is not None

    def described(values: dict[str, Any], node: dict[str, Any], path: str) -> None:
        while "$ref" in node:
            node = schema["$defs"][node["$ref"].removeprefix("#/$defs/")]
        for key, value in values.items():
            if isinstance(node.get("properties"), dict):
                assert key in node["properties"], f"{path}.{key}"
                if isinstance(value, dict):
                    described(cast("dict[str, Any]", value), node["properties"][key], f"{path}.{key}")

    described(chart.values, schema, "")


def test_no_description_is_without_a_default(chart: Chart) -> None:
    schema = chart.schema
    assert schema is not None
    open_by_nature = {"#.queues", "#.global"}

    def has_defaults(node: dict[str, Any], values: object, path: str) -> None:
        while "$ref" in node:
            node = schema["$defs"][node["$ref"].removeprefix("#/$defs/")]
        if path in open_by_nature or not isinstance(node.get("properties"), dict):
            return
        assert isinstance(values, dict), path
        found = cast("dict[str, Any]", values)
        assert node["properties"].keys() - {"global"} == found.keys(), path
        for key, value in found.items():
            has_defaults(node["properties"][key], value, f"{path}.{key}")

    has_defaults(schema, chart.values, "#")


PREFIXES = ("usernamePrefix", "groupsPrefix")
# A person could complete what does not end in a separator, as `sys` with the name `tem:masters`.
BAD_PREFIXES = ("", "system:", "bgjobs:", "oidc", "sys", ":", "oidc :")
GOOD_PREFIXES = ("oidc:", "corp/", "id.example.com:")
SECRET_ARGS = (
    "--client-secret=x",
    "--cookie-secret=x",
    "--redis-password=x",
    "--redis-connection-url=redis://:x@y",
    "--basic-auth-password=x",
    "--signature-key=x",
)


@pytest.mark.parametrize(
    "values",
    [
        {"nope": 1},
        {"image": {"name": "x"}},
        {"operator": {"replica": 1}},
        {"operator": {"replicas": "two"}},
        {"api": {"kubeJobsSeconds": 1}},
        {"operator": {"launchInFlight": 0}},
        {"redis": {"persistence": {}}},
        {"redis": {"maxmemory": "lots"}},
        {"redis": {"external": {"url": "http://redis"}}},
        {"image": {"tag": "latest"}},
        {"jobNamespaces": "shop"},
        {"jobNamespaces": ["Shop"]},
        {"logLevel": "loud"},
        {"queues": {"a.b": {}}},
        {"queues": {"default": {"max_concurrent": 1}}},
        {"queues": {"default": {"maxConcurrent": -1}}},
        {"queues": {"default": {"approvedClasses": ["*"]}}},
        {"queues": {"default": {"pod": {"imagePullPolicy": "Sometimes"}}}},
        {"image": {"digest": "sha256:abc"}},
        {"priorityClassName": "Ours"},
        {"revisionHistoryLimit": -1},
        {"api": {"podLabels": {"a": 1}}},
        {"api": {"extraEnv": [{"value": "without a name"}]}},
        {"operator": {"topologySpreadConstraints": "zone"}},
        {"redis": {"topologySpreadConstraints": []}},
        {"redis": {"external": {"ca": {"key": ""}}}},
        {"redis": {"external": {"passwordSecret": "name"}}},
        {"redis": {"external": {"username": "a b"}}},
        {"redis": {"external": {"clientCertificate": {"key": "tls.key"}}}},
        {"dashboard": {"sessions": {"url": "other.example:6379"}}},
        {"dashboard": {"auth": "basic"}},
        {"dashboard": {"auth": True}},
        {"dashboard": {"enabled": True}},
        {"dashboard": {"trialRole": "operator"}},
        {"dashboard": {"scheme": "ftp"}},
        {"dashboard": {"host": "https://jobs.example.com"}},
        {"dashboard": {"host": "jobs.example.com/bgjobs"}},
        {"dashboard": {"oidc": {"issuerUrl": "id.example.com"}}},
        {"dashboard": {"oidc": {"issuerUrl": "https://id.example.com?x"}}},
        {"dashboard": {"oidc": {"usernameClaim": ""}}},
        *({"dashboard": {"oidc": {name: value}}} for name in PREFIXES for value in BAD_PREFIXES),
        {"dashboard": {"oidc": {"scopes": []}}},
        {"dashboard": {"oidc": {"scopes": ["openid email"]}}},
        {"dashboard": {"sessions": {"store": "memory"}}},
        {"dashboard": {"sessions": {"refresh": "0s"}}},
        {"dashboard": {"sessions": {"expire": 12}}},
        {"dashboard": {"proxy": {"extraArgs": ["upstream=x"]}}},
        *({"dashboard": {"proxy": {"extraArgs": [arg]}}} for arg in SECRET_ARGS),
        {"dashboard": {"ingress": {"tls": [{"secret": "x"}]}}},
        {"dashboard": {"ingress": {"trustedProxies": ["ingress"]}}},
        {"networkPolicy": {"egress": {"dnsPorts": []}}},
        {"networkPolicy": {"egress": {"apiServerPorts": [70000]}}},
        {"networkPolicy": {"jobs": True}},
    ],
    ids=json.dumps,
)
def test_wrong_values_are_refused(chart: Chart, values: dict[str, Any]) -> None:
    with pytest.raises(HelmValuesError):
        chart.validate_schema(values)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"queues": {"default": None}},
        {"queues": {"default": {"pod": {"env": [{"name": "A", "value": "b"}], "affinity": {"nodeAffinity": {}}}}}},
        {"queues": {"default": {"image": None, "defaultTimeoutSeconds": 0.5}}},
        {"global": {"anything": True}},
        {"dashboard": {"auth": False}},
        {"dashboard": {"host": "jobs.example.com:8443"}},
        *({"dashboard": {"oidc": {name: value}}} for name in PREFIXES for value in GOOD_PREFIXES),
        {"dashboard": {"proxy": {"extraArgs": ["--allowed-group=a", "--client-secret-file=/x"]}}},
        {"dashboard": {"sessions": {"refresh": "30s", "expire": "1h30m"}}},
    ],
    ids=json.dumps,
)
def test_right_values_are_taken(chart: Chart, values: dict[str, Any]) -> None:
    chart.validate_schema(values)


@pytest.mark.parametrize("prefix", [*GOOD_PREFIXES, *BAD_PREFIXES])
def test_the_api_takes_every_prefix_that_the_chart_takes(prefix: str) -> None:
    assert prefix not in GOOD_PREFIXES or prefix_objection(prefix) is None


TOGETHER: list[tuple[dict[str, Any], str]] = [
    (
        {"redis": {"enabled": False}},
        "redis.enabled is false: set redis.external.url or redis.external.existingSecret",
    ),
    (
        external(url="rediss://r", ca={"secret": "a", "configMap": "b"}),
        "set redis.external.ca.secret or redis.external.ca.configMap, not both",
    ),
    (external(url="rediss://r", existingSecret="theirs"), "redis.external.existingSecret has the whole address"),
    *(
        (external(url=url), "redis.external.url has a password: put it into a Secret as it is, and name that in")
        for url in ("rediss://:pw@r", "redis://app:p/w@r:6379/0", "redis://r?password=pw")
    ),
    (
        external(existingSecret="theirs", username="app"),
        "redis.external.existingSecret has the whole address: leave redis.external.url, redis.external.username and",
    ),
    (
        external(url="redis://r", clientCertificate={"secret": "a"}),
        "redis.external.clientCertificate is for TLS: redis.external.url must begin with rediss://",
    ),
    (external(url="redis://r", ca={"secret": "a"}), "redis.external.url must begin with rediss://"),
    (
        at("dashboard.ingress.enabled", True),
        "dashboard.auth is off: an Ingress is made for oidc only",
    ),
    (
        merged(TRIAL, at("dashboard.ingress.enabled", True)),
        "dashboard.auth is none: an Ingress is made for oidc only, because otherwise nobody has to sign in",
    ),
    (
        merged(TRIAL, at("rbac.create", False)),
        "dashboard.auth is none: it needs the roles that the chart makes, so set rbac.create=true",
    ),
    *(
        (merged(OIDC, at(f"dashboard.{name}", "")), f"dashboard.auth is oidc: set dashboard.{name}")
        for name in ("host", "oidc.issuerUrl", "oidc.clientId")
    ),
    (
        merged(OIDC, at("dashboard.oidc.clientSecret", "")),
        "dashboard.auth is oidc: set dashboard.oidc.existingSecret or dashboard.oidc.clientSecret",
    ),
    (
        merged(OIDC, at("dashboard.oidc.existingSecret", "mine")),
        "set dashboard.oidc.existingSecret or dashboard.oidc.clientSecret, not both",
    ),
    (
        merged(OIDC, at("dashboard.oidc.issuerUrl", "http://id")),
        "dashboard.oidc.issuerUrl does not begin with https://",
    ),
    (
        {"dashboard": {"auth": "none", "service": {"type": "NodePort"}}},
        "dashboard.service.type is not ClusterIP: this needs dashboard.auth=oidc",
    ),
    (
        merged(OIDC, at("dashboard.service.nodePort", 30000)),
        "dashboard.service.nodePort is given: set dashboard.service.type to NodePort",
    ),
    (merged(OIDC, at("dashboard.oidc.scopes", ["email"])), "dashboard.oidc.scopes must contain openid"),
    (
        merged(OIDC, external(url="rediss://r")),
        "say where sign-in sessions are kept by dashboard.sessions.url, or set",
    ),
    *(
        (
            merged(OIDC, at("dashboard.sessions", {"store": "cookie", name: value})),
            f"dashboard.sessions.{name} is for dashboard.sessions.store=redis",
        )
        for name, value in (("url", "redis://r"), ("existingSecret", "mine"))
    ),
    (
        merged(OIDC, at("dashboard.sessions", {"url": "redis://r", "existingSecret": "mine"})),
        "dashboard.sessions.existingSecret has the whole address: leave dashboard.sessions.url empty",
    ),
    (
        merged(OIDC, at("dashboard.sessions.url", "redis://:pw@r")),
        "dashboard.sessions.url has a password: put it into a Secret as it is, and name that in",
    ),
    *(
        (merged(OIDC, at(f"dashboard.sessions.{name}", value)), f"dashboard.sessions.{name} is set: it needs")
        for name, value in (("username", "a"), ("passwordSecret", {"name": "a"}))
    ),
]


@pytest.mark.parametrize(
    ("values", "sentence"), TOGETHER, ids=[f"{sentence} {number}" for number, (_, sentence) in enumerate(TOGETHER)]
)
def test_values_that_do_not_go_together_are_refused(render: Render, values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(HelmRenderError, match=re.escape(sentence)):
        render(values)


def test_the_values_for_development_are_valid(chart: Chart, chart_folder: Path) -> None:
    values = yaml.safe_load((chart_folder / "ci/dev-values.yaml").read_text())
    chart.validate_schema(values)
    assert values["image"]["tag"] == "dev"
