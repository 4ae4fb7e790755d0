"""What befalls calls of the Kubernetes API: troubles by namespace, verb, kind and name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Call:
    """What was asked, and when (seconds of the loop's clock)."""

    at: float
    verb: str
    kind: str
    namespace: str
    name: str


@dataclass(frozen=True)
class Rule:
    """What befalls the calls that fit; an empty set fits all.

    Attributes:
        status: that is answered in place of what was asked for; 0: it is done, and answered as usual.
        message: of the answer, with `{kind}`, `{name}` and `{namespace}`.
        cause: a reason in its causes.
        after: the answer is held for so many seconds.
    """

    namespaces: frozenset[str] = frozenset()
    verbs: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    status: int = 0
    reason: str = ""
    message: str = ""
    cause: str = ""
    retry_after: int = 0
    after: float = 0.0

    def fits(self, call: Call) -> bool:
        return (
            (not self.namespaces or call.namespace in self.namespaces)
            and (not self.verbs or call.verb in self.verbs)
            and (not self.kinds or call.kind in self.kinds)
            and (not self.names or call.name in self.names)
        )

    def answer(self, call: Call) -> web.Response:
        message = self.message.format(kind=call.kind, name=call.name, namespace=call.namespace)
        headers = {"Retry-After": str(self.retry_after)} if self.retry_after else {}
        return failure(self.status, self.reason, message, self.cause, headers)


def answer(obj: Any, status: int = 200) -> web.Response:
    return web.Response(body=json.dumps(obj).encode(), status=status, content_type="application/json")


def failure(
    code: int, reason: str, message: str, cause: str = "", headers: Mapping[str, str] | None = None
) -> web.Response:
    details = {"causes": [{"reason": cause}]} if cause else {}
    body = {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message}
    made = answer({**body, "details": details}, code)
    made.headers.update(headers or {})
    return made
