"""The caller of a request, and what it may do: what every route depends on."""

import asyncio
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, cast

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from bgjobs_api.http.deps import Deps
from bgjobs_api.http.problems import ProblemError, unavailable
from bgjobs_api.identity import access
from bgjobs_api.identity.access import Action
from bgjobs_api.identity.service_accounts import Identity, KeysUnavailableError, UnauthenticatedError

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="ServiceAccountToken",
    bearerFormat="JWT",
    description="A token of a Kubernetes ServiceAccount with the audience `bgjobs`: projected into a pod, or from "
    "`kubectl create token NAME --audience bgjobs`.",
)


def deps_of(request: Request) -> Deps:
    """The dependencies that the application was made with."""
    return cast("Deps", request.app.state.deps)


async def identify(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Identity:
    """The caller; 401 without a good token."""
    deps = deps_of(request)
    if len(request.headers.getlist("Authorization")) > 1:
        # Which of them whoever stands before us has looked at, nobody knows.
        raise _unauthorized(request, "the header Authorization stands there twice", ', error="invalid_request"')
    if credentials is None:
        if deps.anonymous is None:
            raise _unauthorized(request, "a token is needed: `Authorization: Bearer ...`", "")
        request.state.user = deps.anonymous.user
        return deps.anonymous
    try:
        caller = await deps.authenticator.identify(credentials.credentials, deps.clock())
    except UnauthenticatedError as error:
        raise _unauthorized(request, str(error), ', error="invalid_token"') from error
    except KeysUnavailableError as error:
        raise unavailable(
            "keys_unavailable", f"tokens cannot be verified at the moment: {error}", error.seconds
        ) from error
    request.state.user = caller.user
    return caller


def _unauthorized(request: Request, detail: str, error: str) -> ProblemError:
    request.state.refused = detail
    return ProblemError(
        HTTPStatus.UNAUTHORIZED,
        "unauthenticated",
        detail,
        headers={"WWW-Authenticate": f'Bearer realm="bgjobs"{error}'},
    )


DepsDep = Annotated[Deps, Depends(deps_of)]
Caller = Annotated[Identity, Depends(identify)]


async def is_allowed(deps: Deps, caller: Identity, action: Action, namespace: str) -> bool:
    """Whether Kubernetes allows it; 503 while it does not say."""
    try:
        return await deps.access.allowed(caller, action, namespace, deps.clock())
    except access.AccessUnavailableError as error:
        raise unavailable(
            "access_unavailable", "Kubernetes does not say whether this is allowed; ask again in a moment"
        ) from error


async def require(deps: Deps, caller: Identity, action: Action, namespace: str) -> None:
    """Let the caller go on only if Kubernetes allows it; the answer is else 403, and names what is missing."""
    if not await is_allowed(deps, caller, action, namespace):
        raise _forbidden(access.refusal(caller, action, namespace, deps.roles))


def _forbidden(detail: str) -> ProblemError:
    return ProblemError(HTTPStatus.FORBIDDEN, "forbidden", detail)


async def readable(deps: Deps, caller: Identity, action: Action, asked: Sequence[str]) -> tuple[str, ...]:
    """Namespaces to go over: those asked for, else all of ours in which the caller may do this.

    Raises:
        ProblemError: 403 if one that was asked for is not allowed, or none at all is.
    """
    if asked:
        chosen = tuple(dict.fromkeys(asked))
        answers = await _answers(deps, caller, action, chosen)
        for namespace, allowed in zip(chosen, answers, strict=True):
            if not allowed:
                raise _forbidden(access.refusal(caller, action, namespace, deps.roles))
        return chosen
    if await is_allowed(deps, caller, action, access.EVERYWHERE):
        return deps.namespaces
    answers = await _answers(deps, caller, action, deps.namespaces)
    found = tuple(namespace for namespace, allowed in zip(deps.namespaces, answers, strict=True) if allowed)
    if not found:
        raise _forbidden(access.refusal_everywhere(caller, action, deps.namespaces, deps.roles))
    return found


async def _answers(deps: Deps, caller: Identity, action: Action, namespaces: Sequence[str]) -> list[bool]:
    return await asyncio.gather(*(is_allowed(deps, caller, action, namespace) for namespace in namespaces))
