"""What the tests of the chart share: values of the usual installations, and how to find something in what they make."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    Render = Callable[..., list[dict[str, Any]]]
    Object = dict[str, Any]

OIDC: dict[str, Any] = {
    "dashboard": {
        "auth": "oidc",
        "host": "jobs.example.com",
        "oidc": {"issuerUrl": "https://id.example.com", "clientId": "bgjobs", "clientSecret": "hush-hush"},
    }
}
TRIAL: dict[str, Any] = {"dashboard": {"auth": "none"}}
WORKLOADS = (
    "Deployment/bgjobs-operator",
    "Deployment/bgjobs-api",
    "Deployment/bgjobs-oauth2-proxy",
    "StatefulSet/bgjobs-redis",
)
DEPLOYMENTS = WORKLOADS[:3]


def merged(*layers: dict[str, Any]) -> dict[str, Any]:
    """Values laid over each other, as with several `-f`."""
    result: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            below: Any = result.get(key)
            if isinstance(value, dict) and isinstance(below, dict):
                result[key] = merged(cast("dict[str, Any]", below), cast("dict[str, Any]", value))
            else:
                result[key] = value
    return result


def at(path: str, value: Any) -> dict[str, Any]:
    """Values with one entry, as with `--set`."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return value


def values_of(name: str) -> str:
    """Where a workload has its values."""
    component = name.partition("/bgjobs-")[2]
    return "dashboard.proxy" if component == "oauth2-proxy" else component


def identity(item: Object) -> str:
    return f"{item['kind']}/{item['metadata']['name']}"


def pick(items: list[Object], name: str) -> Object:
    (found,) = [item for item in items if identity(item) == name]
    return found


def workloads(items: list[Object]) -> list[str]:
    return [identity(item) for item in items if item["kind"] in {"Deployment", "StatefulSet"}]


def pod(items: list[Object], name: str) -> Object:
    return pick(items, name)["spec"]["template"]["spec"]


def container(items: list[Object], name: str) -> Object:
    (found,) = pod(items, name)["containers"]
    return found


def env(items: list[Object], name: str) -> dict[str, Any]:
    """Variables of the container, in their order; each has its text, or where it comes from."""
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container(items, name)["env"]}


def secret(items: list[Object], name: str) -> dict[str, str]:
    data = pick(items, f"Secret/{name}")["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}
