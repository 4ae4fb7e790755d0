"""Background jobs on Kubernetes: everything that programs and job code import.

A name is loaded when it is first used. The runner imports this package at the start of every job, and must not wait
for the HTTP client and the models that only programs need.
"""

from __future__ import annotations

from bgjobs.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bgjobs.client.async_batch_handle import AsyncBatchHandle, AsyncEnqueuedBatch
    from bgjobs.client.async_bulk_calls import AsyncBulkHandle
    from bgjobs.client.async_helper import run_background_job_async, run_background_jobs_async
    from bgjobs.client.async_job_client import AsyncJobClient
    from bgjobs.client.async_job_handle import AsyncJobHandle
    from bgjobs.client.batch import Call
    from bgjobs.client.batch_handle import BatchHandle, EnqueuedBatch
    from bgjobs.client.bulk_calls import BulkHandle
    from bgjobs.client.helper import run_background_job, run_background_jobs
    from bgjobs.client.job_client import JobClient
    from bgjobs.client.job_handle import JobHandle
    from bgjobs.client.typed import WithOptions, aenqueue, enqueue, with_options
    from bgjobs.context import Abort, NotInJobError, Retry, current_job
    from bgjobs.errors import (
        BgjobsError,
        ConfigurationError,
        ConflictError,
        EnqueueManyError,
        ForbiddenError,
        InvalidJobError,
        JobFailedError,
        NotFoundError,
        RefusedError,
        UnreachableError,
    )
    from bgjobs.ids import new_job_id
    from bgjobs.retry_rules import Backoff, RetryPolicy, retry_policy

__all__ = [
    "Abort",
    "AsyncBatchHandle",
    "AsyncBulkHandle",
    "AsyncEnqueuedBatch",
    "AsyncJobClient",
    "AsyncJobHandle",
    "Backoff",
    "BatchHandle",
    "BgjobsError",
    "BulkHandle",
    "Call",
    "ConfigurationError",
    "ConflictError",
    "EnqueueManyError",
    "EnqueuedBatch",
    "ForbiddenError",
    "InvalidJobError",
    "JobClient",
    "JobFailedError",
    "JobHandle",
    "NotFoundError",
    "NotInJobError",
    "RefusedError",
    "Retry",
    "RetryPolicy",
    "UnreachableError",
    "WithOptions",
    "aenqueue",
    "current_job",
    "enqueue",
    "new_job_id",
    "retry_policy",
    "run_background_job",
    "run_background_job_async",
    "run_background_jobs",
    "run_background_jobs_async",
    "with_options",
]

_MODULES = {
    "Abort": "context",
    "AsyncBatchHandle": "client.async_batch_handle",
    "AsyncBulkHandle": "client.async_bulk_calls",
    "AsyncEnqueuedBatch": "client.async_batch_handle",
    "AsyncJobClient": "client.async_job_client",
    "AsyncJobHandle": "client.async_job_handle",
    "Backoff": "retry_rules",
    "BatchHandle": "client.batch_handle",
    "BulkHandle": "client.bulk_calls",
    "Call": "client.batch",
    "EnqueuedBatch": "client.batch_handle",
    "JobClient": "client.job_client",
    "JobHandle": "client.job_handle",
    "NotInJobError": "context",
    "Retry": "context",
    "RetryPolicy": "retry_rules",
    "WithOptions": "client.typed",
    "aenqueue": "client.typed",
    "current_job": "context",
    "enqueue": "client.typed",
    "new_job_id": "ids",
    "retry_policy": "retry_rules",
    "run_background_job": "client.helper",
    "run_background_job_async": "client.async_helper",
    "run_background_jobs": "client.helper",
    "run_background_jobs_async": "client.async_helper",
    "with_options": "client.typed",
}

# Packages that programs need to ask for jobs, and the runner does not need to run them.
_CLIENT_PACKAGES = frozenset({"httpx2", "pydantic"})


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - see above

    try:
        module = import_module(f"{__name__}.{_MODULES.get(name, 'errors')}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _CLIENT_PACKAGES:
            raise
        raise ImportError(
            f"bgjobs.{name} needs the package {error.name}, which is not installed; the image bgjobs/runner leaves it "
            "out, because jobs run without it. Install bgjobs with its dependencies in your Dockerfile (docs/jobs.md)"
        ) from error
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
