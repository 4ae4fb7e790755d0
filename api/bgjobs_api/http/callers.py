"""Who has sent a request, and whether that caller may do what it asks for. Every route depends on this."""

import asyncio
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Annotated, Final, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from bgjobs_api.http.deps import Deps
from bgjobs_api.http.problems import ProblemError, forbidden, invalid, unavailable
from bgjobs_api.identity import access
from bgjobs_api.identity.access import Action
from bgjobs_api.identity.access_refusal import AccessRefusal
from bgjobs_api.identity.caller import Identity
from bgjobs_api.identity.errors import KeysUnavailableError, UnauthenticatedError

MOST_NAMESPACES: Final = 100  # that one request may name
_AT_ONCE: Final = 16  # questions to Kubernetes for one request

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="ServiceAccountToken",
    bearerFormat="JWT",
    description="A token of a Kubernetes ServiceAccount with the audience `bgjobs`: projected into a pod, or from "
    "`kubectl create token NAME --audience bgjobs`.",
)


def deps_of(request: Request) -> Deps:
    """The services that the application was built with."""
    return cast("Deps", request.app.state.deps)


def caller_of(request: Request) -> Identity:
    """Who has sent a request, after `identify` has found it out."""
    return cast("Identity", request.state.caller)


async def _deps(request: Request) -> Deps:
    return deps_of(request)  # FastAPI would run a plain function on another thread


async def identify(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Identity:
    """Find out who has sent a request, by its token.

    Raises:
        ProblemError: status 401 without a good token; status 503 while tokens cannot be verified.
    """
    deps = deps_of(request)
    if len(request.headers.getlist("Authorization")) > 1:
        # A proxy in front of us may have looked at the other one.
        detail = "the header Authorization was sent twice; send it once"
        raise _unauthorized(request, detail, ', error="invalid_request"')
    if credentials is None:
        if deps.anonymous is None:
            raise _unauthorized(request, "a token is needed: send it in the header `Authorization: Bearer TOKEN`", "")
        return _known(request, deps.anonymous)
    try:
        caller = await deps.authenticator.identify(credentials.credentials, deps.clock())
    except UnauthenticatedError as error:
        raise _unauthorized(request, str(error), ', error="invalid_token"') from error
    except KeysUnavailableError as error:
        raise unavailable(
            "keys_unavailable", f"tokens cannot be verified at the moment: {error}", error.seconds
        ) from error
    return _known(request, caller)


def _known(request: Request, caller: Identity) -> Identity:
    request.state.caller, request.state.user = caller, caller.user  # the user for the log
    return caller


def _unauthorized(request: Request, detail: str, error: str) -> ProblemError:
    request.state.refused = detail
    return ProblemError(
        HTTPStatus.UNAUTHORIZED,
        "unauthenticated",
        detail,
        headers={"WWW-Authenticate": f'Bearer realm="bgjobs"{error}'},
    )


DepsDep = Annotated[Deps, Depends(_deps)]
Caller = Annotated[Identity, Depends(identify)]


async def is_allowed(deps: Deps, caller: Identity, action: Action, namespace: str) -> bool:
    """Whether Kubernetes allows a caller to do this in a namespace (or `access.EVERYWHERE`).

    Raises:
        ProblemError: status 503 while Kubernetes does not say.
    """
    try:
        return await deps.access.allowed(caller, action, namespace, deps.clock())
    except access.AccessUnavailableError as error:
        raise unavailable(
            "access_unavailable", "Kubernetes does not say whether this is allowed; ask again in a moment"
        ) from error


async def require(deps: Deps, caller: Identity, action: Action, namespace: str) -> None:
    """Go on only if Kubernetes allows a caller to do this in a namespace.

    Raises:
        ProblemError: status 403, with what is missing, if it is not allowed; status 503 while Kubernetes does not say.
    """
    if not await is_allowed(deps, caller, action, namespace):
        raise forbidden(AccessRefusal(caller, action, (namespace,), deps.roles))


async def require_in(deps: Deps, caller: Identity, action: Action, namespace: str) -> None:
    """As `require`, in a namespace that the request names: of one without jobs nothing is asked of Kubernetes.

    Raises:
        ProblemError: as `require`; status 422 if it is no namespace of jobs.
    """
    if namespace not in deps.namespaces:
        detail = (
            f"{namespace!r} is no namespace of jobs; check how it is written, or let an administrator add it to the "
            "value jobNamespaces of the chart"
        )
        raise invalid("namespace", detail, "no_namespace_of_jobs")
    await require(deps, caller, action, namespace)


async def require_somewhere(deps: Deps, caller: Identity, action: Action) -> None:
    """Go on only if Kubernetes allows a caller to do this in one namespace of jobs at least.

    It is asked before a body is read that names the namespace. The caller's own is tried first, which is the usual one.

    Raises:
        ProblemError: status 403, with what is missing, if it is allowed in none; status 503 while Kubernetes does not
            say.
    """
    own = caller.namespace if caller.namespace in deps.namespaces else ""
    if own and await is_allowed(deps, caller, action, own):
        return
    if await is_allowed(deps, caller, action, access.EVERYWHERE):
        return
    for some in _in_turn([one for one in deps.namespaces if one != own]):
        if any(await _at_once(deps, caller, action, some)):
            return
    where = (own,) if own else deps.namespaces
    raise forbidden(AccessRefusal(caller, action, where, deps.roles, anywhere=not own))


async def readable(deps: Deps, caller: Identity, action: Action, asked: Sequence[str]) -> tuple[str, ...]:
    """The namespaces that a list is made of: those that were asked for, else all in which the caller may do this.

    Args:
        deps: the services of the application.
        caller: who asks.
        action: what the caller must be allowed to do in each of them.
        asked: the namespaces that the request names; none: all namespaces of jobs. Those without jobs are dropped, and
            Kubernetes is not asked about them.

    Raises:
        ProblemError: status 403 if it is not allowed in one that was asked for, or in none at all; status 503 while
            Kubernetes does not say.
    """
    if asked:
        chosen = tuple(one for one in dict.fromkeys(asked) if one in deps.namespaces)
        answers = await answers_in(deps, caller, action, chosen)
        for namespace, allowed in zip(chosen, answers, strict=True):
            if not allowed:
                raise forbidden(AccessRefusal(caller, action, (namespace,), deps.roles))
        return chosen
    if await is_allowed(deps, caller, action, access.EVERYWHERE):
        return deps.namespaces
    answers = await answers_in(deps, caller, action, deps.namespaces)
    found = tuple(namespace for namespace, allowed in zip(deps.namespaces, answers, strict=True) if allowed)
    if not found:
        raise forbidden(AccessRefusal(caller, action, deps.namespaces, deps.roles, anywhere=True))
    return found


async def answers_in(deps: Deps, caller: Identity, action: Action, namespaces: Sequence[str]) -> list[bool]:
    """In turn and some at once: whoever asks for many namespaces asks Kubernetes no faster than others."""
    found: list[bool] = []
    for some in _in_turn(namespaces):
        found += await _at_once(deps, caller, action, some)
    return found


def _in_turn(namespaces: Sequence[str]) -> Iterator[Sequence[str]]:
    return (namespaces[start : start + _AT_ONCE] for start in range(0, len(namespaces), _AT_ONCE))


async def _at_once(deps: Deps, caller: Identity, action: Action, namespaces: Sequence[str]) -> list[bool]:
    return await asyncio.gather(*(is_allowed(deps, caller, action, namespace) for namespace in namespaces))
