"""The whole system on a real Kubernetes; `make cluster-up images` makes one, `make test` does so by itself."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, Protocol

import pytest

import installation
import ways
from bgjobs import JobClient

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Installs the chart once; the address of the API."""
    try:
        installation.dev("status")
    except installation.CommandError as error:
        pytest.exit(f"there is no cluster: run `make cluster-up images` ({error})", returncode=1)
    installation.install(lambda what: print(f"\n{what}"))
    with installation.api() as url:
        installation.use(url)
        yield url


@pytest.fixture(scope="session")
def client(address: str) -> Iterator[JobClient]:
    """As the shop's web application, which may submit jobs in its namespace."""
    with JobClient(namespace=installation.SHOP) as made:
        yield made


class RequestOf(Protocol):
    """Applies a request for a job of the shop; returns the request's name and the job's id."""

    def __call__(self, cls: str, method: str, parameters: list[Any], **spec: object) -> tuple[str, str]: ...


@pytest.fixture
def request_of(client: JobClient) -> RequestOf:
    """The other way of asking for a job."""
    assert client

    def apply(cls: str, method: str, parameters: list[Any], **spec: object) -> tuple[str, str]:
        name = f"test-{uuid.uuid4().hex[:10]}"
        body = {
            "apiVersion": "bgjobs.dev/v1alpha1",
            "kind": "BackgroundJobRequest",
            "metadata": {"name": name, "namespace": installation.SHOP},
            "spec": {"class": f"shop.jobs.{cls}", "method": method, "parameters": parameters, **spec},
        }
        installation.kubectl("apply", "-f", "-", stdin=json.dumps(body))
        return name, ways.request_job_id(name)

    return apply
