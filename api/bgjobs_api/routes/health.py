"""/healthz and /readyz.

Liveness asks nobody: Redis or Kubernetes being away is a matter of readiness, and a restart would not bring
them back.
"""

import asyncio
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from bgjobs_api.health import redis_state
from bgjobs_api.http.callers import DepsDep
from bgjobs_api.http.deps import Deps
from bgjobs_core.health.findings import Finding
from bgjobs_core.redis.errors import StoreError
from bgjobs_core.version import own_version

router = APIRouter(tags=["health"])

# The kubelet waits for 5 s; redis-py tries again for longer.
PATIENCE_SECONDS: Final = 3.0


@dataclass(frozen=True)
class Readiness:
    """Why requests would fail, and what is wrong besides.

    Attributes:
        version: of bgjobs.
        problems: by the part that is away; none: ready.
        warnings: what mends each of them is said with it.
    """

    version: str
    problems: dict[str, str]
    warnings: list[Finding]


async def readiness(deps: Deps, patience: float = PATIENCE_SECONDS) -> Readiness:
    """Ask every part that a request would need whether it answers."""
    problems: dict[str, str] = {}
    warnings: list[Finding] = []
    try:
        async with asyncio.timeout(patience):
            await deps.store.check()
            warnings += redis_state.findings(await deps.redis.durability(), deps.rediscli)
            warnings += await deps.ask_operator()
    except TimeoutError:
        problems["redis"] = f"Redis did not answer within {patience:g} s"
    except StoreError as error:
        problems["redis"] = str(error)
    # Whether people can sign in is no reason to take the runners' endpoints of this pod away: `findings` tells it.
    if not deps.authenticator.ready and not deps.sign_in:
        problems["kubernetes"] = "the keys that verify tokens were not read yet"
    return Readiness(own_version(), problems, [*warnings, *deps.findings()])


@router.get("/healthz", summary="Does the process live?")
async def healthz() -> JSONResponse:
    """Say that the process lives: the answer is always 200."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz", summary="Can it serve requests?", responses={503: {"description": "It cannot, and why"}})
async def readyz(deps: DepsDep) -> JSONResponse:
    """Say whether requests can be served: the answer is 200 or 503, with the reasons."""
    found = await readiness(deps)
    return JSONResponse(asdict(found), HTTPStatus.SERVICE_UNAVAILABLE if found.problems else HTTPStatus.OK)
