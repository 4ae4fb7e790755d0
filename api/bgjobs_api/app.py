"""The application, put together from its parts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, cast

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from bgjobs.batches import BatchRequest, CancelBatchRequest
from bgjobs.bulk import BulkPreviewRequest, BulkStartRequest
from bgjobs.holds import PutHoldRequest
from bgjobs.parent_result import ParentBatchRequest, ParentRequest
from bgjobs.runner_wire import BeatRequest, FinishRequest, StackRequest, StartRequest
from bgjobs.wire import (
    CancelRequest,
    EnqueueRequest,
    HoldRequest,
    PriorityRequest,
    Problem,
    QueueLimitsRequest,
    RerunRequest,
    RunScheduleRequest,
)
from bgjobs_api.http import problems
from bgjobs_api.http.bounded_query import BoundedQuery
from bgjobs_api.http.default_headers import DefaultHeaders
from bgjobs_api.http.deps import Deps
from bgjobs_api.http.head import Head
from bgjobs_api.http.request_log import RequestLog
from bgjobs_api.http.same_origin import SameOrigin
from bgjobs_api.pages import routes as dashboard
from bgjobs_api.routes import batches, bulk, health, holding, holds, jobs, queues, runner, schedules, stacks

if TYPE_CHECKING:
    from pydantic import BaseModel
    from starlette.types import Lifespan

__all__ = ["PUBLIC_PATHS", "Deps", "create_app", "openapi_text"]

OPENAPI_PATH: Final = "/api/openapi.json"
# Routes that answer without knowing who asks; a test holds every other one against the identity.
PUBLIC_PATHS: Final = frozenset({"/healthz", "/readyz", OPENAPI_PATH})

_API_VERSION: Final = "1"
_TAGS: Final = (
    {"name": "jobs", "description": "Enqueue, list, read and cancel jobs."},
    {"name": "batches", "description": "Many jobs under one id: count, cancel and close them."},
    {"name": "holds", "description": "Jobs that are held by their class, their method or their labels."},
    {"name": "bulk", "description": "One thing that is done with all jobs that a filter means: previewed, then begun."},
    {"name": "queues", "description": "Queues with their load. They are made with kubectl."},
    {"name": "schedules", "description": "Jobs that are made again and again. Schedules are made with kubectl."},
    {"name": "runner", "description": "For the supervisor in a job's pod; not for people."},
    {"name": "health", "description": "For the kubelet."},
)
_DESCRIPTION: Final = """\
Background jobs on Kubernetes. Callers show a ServiceAccount token with the audience `bgjobs`; what they may do is
decided by the cluster's RBAC on `backgroundjobrequests`, `backgroundjobqueues` and `backgroundjobschedules` of
`bgjobs.dev`.

Every error is `application/problem+json` (RFC 9457) with a stable `code`. After 503, and after no answer at all, the
same request can be sent again: a job is enqueued under an id that the caller made.
"""
# Read by hand, not by FastAPI, so that it would not know them.
_BODIES: Final[tuple[type[BaseModel], ...]] = (
    EnqueueRequest,
    BatchRequest,
    BulkPreviewRequest,
    BulkStartRequest,
    CancelBatchRequest,
    CancelRequest,
    RerunRequest,
    HoldRequest,
    PriorityRequest,
    PutHoldRequest,
    QueueLimitsRequest,
    RunScheduleRequest,
    StackRequest,
    StartRequest,
    BeatRequest,
    FinishRequest,
    ParentRequest,
    ParentBatchRequest,
)


class Api(FastAPI):
    """FastAPI with a complete document of itself."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        if self.openapi_schema is None:
            document = get_openapi(
                title=self.title,
                version=self.version,
                description=self.description,
                routes=self.routes,
                tags=list(cast("tuple[dict[str, Any], ...]", _TAGS)),
            )
            template = "#/components/schemas/{model}"
            _, bodies = models_json_schema([(one, "validation") for one in _BODIES], ref_template=template)
            _, answers = models_json_schema([(Problem, "serialization")], ref_template=template)
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            for found in (bodies, answers):
                for name, schema in found["$defs"].items():
                    schemas.setdefault(name, schema)
            self.openapi_schema = document
        return self.openapi_schema


def _application(lifespan: Lifespan[FastAPI] | None = None, *, runners: bool = True) -> Api:
    app = Api(
        title="bgjobs",
        version=_API_VERSION,
        description=_DESCRIPTION,
        openapi_url=OPENAPI_PATH if runners else None,
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
        lifespan=lifespan,
    )
    for_programs = (
        jobs.router,
        batches.router,
        bulk.router,
        holding.router,
        holds.router,
        queues.router,
        schedules.router,
        stacks.router,
    )
    for part in (*for_programs, *((runner.router,) if runners else ()), health.router):
        app.include_router(part)
    problems.install(app)
    app.add_middleware(Head)
    app.add_middleware(BoundedQuery)
    app.add_middleware(DefaultHeaders)
    app.add_middleware(SameOrigin)
    app.add_middleware(RequestLog)
    return app


def create_app(
    deps: Deps, lifespan: Lifespan[FastAPI] | None = None, *, pages: bool = False, runners: bool = True
) -> FastAPI:
    """The application on these dependencies, with the dashboard if `pages`.

    Without `runners`, their endpoints are missing and so is the document of the API, which describes them.
    """
    app = _application(lifespan, runners=runners)
    app.state.deps = deps
    if pages:
        dashboard.install(app)
    return app


def openapi_text() -> str:
    """The OpenAPI document as a file: the same for the same code."""
    return json.dumps(_application().openapi(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
