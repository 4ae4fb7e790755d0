"""A cluster that signs tokens, for tests of who calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from joserfc import jwk, jwt

from tests.api.world import NOW

ISSUER: Final = "https://kubernetes.default.svc.cluster.local"


def claims(**changes: Any) -> dict[str, Any]:
    """Those of a pod's projected token, as Kubernetes 1.36 writes them; a change to None leaves one out."""
    made: dict[str, Any] = {
        "aud": ["bgjobs"],
        "exp": int(NOW) + 600,
        "iat": int(NOW),
        "iss": ISSUER,
        "jti": "4a8bcb8e-d6a7-4d8f-8d26-5ac4c6b7f3c9",
        "kubernetes.io": {
            "namespace": "shop",
            "node": {"name": "node-1", "uid": "node-uid"},
            "pod": {"name": "web-5d4f8c7b9-abcde", "uid": "pod-uid"},
            "serviceaccount": {"name": "web", "uid": "sa-uid"},
        },
        "nbf": int(NOW),
        "sub": "system:serviceaccount:shop:web",
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


def new_key(kid: str, kind: str = "RSA") -> jwk.Key:
    """2048 bits, or on P-256."""
    parameters: Any = {"kid": kid, "use": "sig"}
    if kind == "RSA":
        return jwk.RSAKey.generate_key(2048, parameters)
    return jwk.ECKey.generate_key("P-256", parameters)


@dataclass
class Cluster:
    """Publishes the keys in `published` and counts how often it was asked."""

    published: list[jwk.Key]
    asked: int = 0
    failure: Exception | None = None
    extra: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def documents(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """openid-configuration and key set."""
        keys: list[Any] = [key.as_dict(private=False) for key in self.published]
        return {"issuer": ISSUER}, {"keys": keys + self.extra}

    async def request(self, method: str, path: str) -> dict[str, Any]:
        """As `bgjobs_core.kube.door.Kube.request`."""
        assert method == "GET"
        self.asked += path == "/openid/v1/jwks"
        if self.failure:
            raise self.failure
        configuration, keys = self.documents()
        return {"/.well-known/openid-configuration": configuration, "/openid/v1/jwks": keys}[path]


def sign(key: jwk.Key, content: dict[str, Any], **header: Any) -> str:
    """A token; keyword arguments are put into its header, None takes something out of it."""
    made = {"alg": "RS256", "kid": key.kid, **header}
    made = {name: value for name, value in made.items() if value is not None}
    return jwt.encode(made, content, key, algorithms=[made["alg"]])
