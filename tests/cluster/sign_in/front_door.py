"""The dashboard as people meet it: behind oauth2-proxy, with an identity provider that believes everybody.

The installation is left as it is: other tests do not notice, and going back would restart Redis once more.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import installation
from installation import CALLER, IMAGE, RELEASE, SHOP, SYSTEM, kubectl

if TYPE_CHECKING:
    from pathlib import Path

MILL: Final = "mill"  # a second namespace of jobs
READERS: Final = "readers"  # a group at the provider: may look at the jobs of the shop
MILLERS: Final = "millers"  # another: may do everything with those of the mill
COOKIE: Final = "bgjobs"

# So short that a test outlives several; a page asks every 2 or 3 s, and the renewal takes moments.
TOKEN_SECONDS: Final = 9
REFRESH_SECONDS: Final = 3

_PROVIDER: Final = "identity"  # its namespace
_PROVIDER_PORT: Final = 5556
_RESTRICTED: Final = {"pod-security.kubernetes.io/enforce": "restricted"}


@dataclass(frozen=True)
class FrontDoor:
    """Where it is.

    Attributes:
        host: `HOST:PORT`, as browsers name it.
        provider: `HOST:PORT` of the identity provider.
    """

    host: str
    provider: str

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    @property
    def issuer(self) -> str:
        return f"http://{self.provider}/oidc"


def install(folder: Path) -> FrontDoor:
    """Put provider and proxy on the cluster, on which the chart is installed without them.

    Args:
        folder: for the values.
    """
    kubectl("apply", "-f", "-", stdin=_listed(*_places(), *_services()))
    node = kubectl("get", "nodes", "-o", 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}')
    door = FrontDoor(f"{node}:{_node_port(SYSTEM, 'front-door')}", f"{node}:{_node_port(_PROVIDER, 'oidc')}")
    kubectl("apply", "-f", "-", stdin=_listed(_provider(door)))
    kubectl("rollout", "status", "deployment/oidc", "-n", _PROVIDER, "--timeout=180s")
    values = folder / "values.json"
    values.write_text(json.dumps(_values(door)))
    kubectl("apply", "-f", "-", stdin=_listed(*_bindings(), _queue()))  # the queue makes it a namespace of jobs
    installation.upgrade("-f", str(values))
    return door


def stop_provider() -> None:
    """It is away."""
    kubectl("scale", "deployment/oidc", "-n", _PROVIDER, "--replicas=0")
    kubectl("wait", "--for=delete", "pod", "-l", "app=oidc", "-n", _PROVIDER, "--timeout=180s")


def start_provider() -> None:
    """It is back, with another key, and knows nobody's session."""
    kubectl("scale", "deployment/oidc", "-n", _PROVIDER, "--replicas=1")
    kubectl("rollout", "status", "deployment/oidc", "-n", _PROVIDER, "--timeout=180s")


def _values(door: FrontDoor) -> dict[str, Any]:
    oidc = {
        "issuerUrl": door.issuer,
        "clientId": "bgjobs",
        "clientSecret": "bgjobs-secret",
        "scopes": ["openid", "email", "profile", "groups"],
        "logoutUrl": f"{door.issuer}/logout?id_token_hint={{id_token}}",
        "allowHttp": True,
    }
    sessions = {"refresh": f"{REFRESH_SECONDS}s"}
    return {"dashboard": {"auth": "oidc", "scheme": "http", "host": door.host, "oidc": oidc, "sessions": sessions}}


def _places() -> list[dict[str, Any]]:
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": _RESTRICTED}}
        for name in (MILL, _PROVIDER)
    ]


def _services() -> list[dict[str, Any]]:
    """Ports of the node, which this machine reaches and pods do: both must name the provider in the same way."""
    proxy = {"app.kubernetes.io/instance": RELEASE, "app.kubernetes.io/component": "oauth2-proxy"}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"type": "NodePort", "selector": selector, "ports": [{"port": 80, "targetPort": target}]},
        }
        for name, namespace, selector, target in (
            ("front-door", SYSTEM, proxy, "http"),
            ("oidc", _PROVIDER, {"app": "oidc"}, _PROVIDER_PORT),
        )
    ]


def _provider(door: FrontDoor) -> dict[str, Any]:
    labels = {"app": "oidc"}
    container = {
        "name": "oidc",
        "image": "bgjobs/oidc:dev",
        "imagePullPolicy": "IfNotPresent",
        "args": [
            f"-listen=:{_PROVIDER_PORT}",
            f"-issuer={door.provider}",
            f"-token-lifetime={TOKEN_SECONDS}s",
        ],
        "readinessProbe": {
            "httpGet": {"path": "/oidc/.well-known/openid-configuration", "port": _PROVIDER_PORT},
            "periodSeconds": 1,
        },
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "metadata": {"labels": labels, "annotations": {"started": str(time.time())}},  # a new one for each run
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "oidc", "namespace": _PROVIDER},
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": pod,
        },
    }


def _queue() -> dict[str, Any]:
    """Beside that of the chart, which goes when somebody installs without this namespace."""
    spec = {"maxConcurrent": 1, "approvedClasses": ["shop.jobs.*"], "image": IMAGE}
    metadata = {"name": "millstone", "namespace": MILL}
    return {"apiVersion": "bgjobs.dev/v1alpha1", "kind": "BackgroundJobQueue", "metadata": metadata, "spec": spec}


def _bindings() -> list[dict[str, Any]]:
    """Rights of people, of the web application, and of the operator, which tidies up whatever is installed later."""
    groups = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io"}
    return [
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": f"test-{role}", "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": subjects,
        }
        for namespace, role, subjects in (
            (MILL, "admin", [{"kind": "ServiceAccount", "name": f"{RELEASE}-operator", "namespace": SYSTEM}]),
            (SHOP, f"{RELEASE}-viewer", [{**groups, "name": f"oidc:{READERS}"}]),
            (
                MILL,
                f"{RELEASE}-submitter",
                [{**groups, "name": f"oidc:{MILLERS}"}, {"kind": "ServiceAccount", "name": CALLER, "namespace": SHOP}],
            ),
        )
    ]


def _node_port(namespace: str, name: str) -> str:
    return kubectl("get", "service", name, "-n", namespace, "-o", "jsonpath={.spec.ports[0].nodePort}")


def _listed(*items: dict[str, Any]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
