"""Errors as pages for those who look at pages; programs go on getting problems."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

import structlog

from bgjobs_api.http import problems
from bgjobs_api.pages.shared import rendering
from bgjobs_core.redis.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI, Request, Response

    from bgjobs_api.http.deps import Deps

log: Any = structlog.get_logger(__name__)

# What is under these is asked for by programs.
_PROGRAMS: Final = ("/api/", "/runner/", "/healthz", "/readyz", "/static/")
_TITLES: Final = {
    HTTPStatus.UNAUTHORIZED: "Who are you?",
    HTTPStatus.FORBIDDEN: "Not allowed",
    HTTPStatus.NOT_FOUND: "Not found",
    HTTPStatus.UNPROCESSABLE_ENTITY: "This cannot be shown",
    HTTPStatus.SERVICE_UNAVAILABLE: "Not now",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong",
}


def is_page(path: str) -> bool:
    """Whether people look at this path."""
    return not path.startswith(_PROGRAMS)


def response(request: Request, problem: problems.ProblemError) -> Response:
    """The page that tells somebody of a problem."""
    deps = cast("Deps | None", getattr(request.app.state, "deps", None))
    signed_out = problem.status == HTTPStatus.UNAUTHORIZED and deps is not None and deps.sign_in
    unusable = "invalid_token" in problem.headers.get("WWW-Authenticate", "")
    if signed_out and rendering.is_fragment(request):
        return rendering.signed_out(request, problem.status, problem.headers)
    return rendering.page(
        request,
        "error",
        deps,
        getattr(request.state, "user", ""),
        status=problem.status,
        headers=problem.headers,
        title=("Your sign-in cannot be used" if unusable else "Sign in")
        if signed_out
        else _TITLES.get(problem.status, problems.phrase(problem.status)),
        signed_out=signed_out,
        unusable=unusable,
        problem=problem,
    )


async def _answer(request: Request, error: Exception) -> Response:
    if isinstance(error, StoreUnavailableError):
        log.warning("redis does not answer", error=str(error))
    return response(request, problems.problem_of(error))


def install(app: FastAPI) -> None:
    """Put pages in front of the answers that `problems.install` has put in place."""
    for kind, answer in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, _either(cast("Callable[[Request, Exception], Awaitable[Response]]", answer)))


def _either(
    for_programs: Callable[[Request, Exception], Awaitable[Response]],
) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        return await (_answer if is_page(request.scope["path"]) else for_programs)(request, error)

    return answer
