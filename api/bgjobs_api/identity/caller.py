"""A caller of the API as a value, in the words of Kubernetes. How it is found out depends on the kind of token."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """Who has sent a request, as Kubernetes names that user.

    Attributes:
        user: the user's name, for example `system:serviceaccount:shop:web` or `oidc:ada@example.com`.
        groups: the user's groups; a ServiceAccount has those that Kubernetes gives to every ServiceAccount.
        namespace: the namespace of the ServiceAccount; "" for a person, who belongs to no namespace.
        pod_name: the name of the pod that the token is bound to; None if it is bound to no pod.
        pod_uid: the UID of that pod; None if the token is bound to no pod.
    """

    user: str
    groups: tuple[str, ...]
    namespace: str
    pod_name: str | None = None
    pod_uid: str | None = None
