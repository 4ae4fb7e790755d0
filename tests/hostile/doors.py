"""What each route takes, at its limit. A route that is not here fails the test: whoever adds one says what it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from bgjobs.bulk import MAX_BULK_BYTES
from bgjobs.protocol import MAX_BATCH_BYTES
from bgjobs_api.http.bodies import MAX_BODY_BYTES, MAX_NOTE_BYTES
from bgjobs_api.routes.runner import MAX_BEAT_BYTES, MAX_REPORT_BYTES, MAX_STACKS_BYTES, MOST_OF_A_REPORT
from tests.hostile import shapes

if TYPE_CHECKING:
    from collections.abc import Iterator

FORM_BYTES: Final = 16 * 1024
QUERY_BYTES: Final = 60_000  # a request's line and headers may have 64 KiB
ONE_ID: Final = "0197f000-0000-7000-8000-000000000001"
OTHER_ID: Final = "0197f000-0000-7000-8000-000000000002"
_POD: Final = '"kube_uid":"{kube_uid}","pod_uid":"{pod_uid}","pod_name":"{pod_name}"'


@dataclass(frozen=True)
class Door:
    """A route.

    Attributes:
        query: the names that its query may have.
        limit: of its body, in bytes; 0: it has none.
        into: the field of a JSON body that takes the shapes; "" for a form.
        others: the other fields of a good body, as JSON.
        fields: the names that a form may have.
        parts: how many bytes of the limit may be other than spaces and escapes, where many parts are meant; 0: all.
    """

    query: tuple[str, ...] = ()
    limit: int = 0
    into: str = ""
    others: str = ""
    fields: tuple[str, ...] = ()
    parts: int = 0


def _note(others: str = "") -> Door:
    return Door(limit=MAX_NOTE_BYTES, into="note", others=others)


def _form(*fields: str) -> Door:
    return Door(limit=FORM_BYTES, fields=fields)


_LOG: Final = ("offset", "timestamps")
_FILTERS: Final = (
    "outcome", "error_type", "who", "schedule", "request", "batch", "label", "since", "until"
)  # fmt: skip
DOORS: Final = {
    "GET /": Door(),
    "GET /healthz": Door(),
    "GET /readyz": Door(),
    "GET /signed-out": Door(),
    "GET /static/{digest}/{path:path}": Door(),
    "GET /api/openapi.json": Door(),
    "GET /jobs": Door(query=("ns", "state", "queue", "class", "cursor", *_FILTERS)),
    "GET /queues": Door(query=("ns",)),
    "GET /batches": Door(query=("ns", "cursor")),
    "GET /schedules": Door(query=("ns", "after")),
    "GET /schedules/{namespace}/{name}": Door(),
    "GET /schedules/{namespace}/{name}/pause": Door(),
    "GET /schedules/{namespace}/{name}/resume": Door(),
    "GET /schedules/{namespace}/{name}/run": Door(),
    "POST /schedules/{namespace}/{name}/pause": _form(),
    "POST /schedules/{namespace}/{name}/resume": _form(),
    "POST /schedules/{namespace}/{name}/run": _form("id"),
    "GET /jobs/{job_id}": Door(query=("attempt",)),
    "GET /jobs/{job_id}/attempts/{number}/log": Door(query=("download",)),
    "GET /jobs/{job_id}/cancel": Door(),
    "GET /jobs/{job_id}/pause": Door(),
    "GET /jobs/{job_id}/rerun": Door(),
    "GET /jobs/{job_id}/resume": Door(),
    "GET /jobs/{job_id}/run-now": Door(),
    "GET /jobs/{job_id}/stack": Door(),
    "GET /jobs/{job_id}/suspend": Door(),
    "POST /jobs/{job_id}/cancel": _form("note"),
    "POST /jobs/{job_id}/pause": _form(),
    "POST /jobs/{job_id}/rerun": _form("id"),
    "POST /jobs/{job_id}/resume": _form(),
    "POST /jobs/{job_id}/run-now": _form(),
    "POST /jobs/{job_id}/stack": _form(),
    "POST /jobs/{job_id}/suspend": _form(),
    "GET /holds/{namespace}/{hold_id}/release": Door(),
    "POST /holds/{namespace}/{hold_id}/release": _form("to"),
    "GET /api/v1/holds": Door(query=("namespace",)),
    "POST /api/v1/holds": _note('"namespace":"shop","class":"shop.jobs.Report","for_seconds":0.001'),
    "DELETE /api/v1/holds/{namespace}/{hold_id}": Door(query=("note",)),
    "GET /api/v1/jobs": Door(query=("namespace", "state", "queue", "class", "limit", "cursor", *_FILTERS)),
    "GET /api/v1/jobs/{job_id}": Door(),
    "GET /api/v1/jobs/{job_id}/attempts": Door(),
    "GET /api/v1/jobs/{job_id}/attempts/{number}/log": Door(query=_LOG),
    "GET /api/v1/jobs/{job_id}/history": Door(),
    "GET /api/v1/jobs/{job_id}/log": Door(query=_LOG),
    "GET /api/v1/jobs/{job_id}/result": Door(),
    "GET /api/v1/jobs/{job_id}/stack": Door(),
    "GET /api/v1/jobs/{job_id}/why": Door(),
    "GET /api/v1/queues": Door(query=("namespace",)),
    "GET /api/v1/schedules": Door(query=("namespace",)),
    "POST /api/v1/jobs": Door(
        limit=MAX_BODY_BYTES,
        into="parameters",
        others=f'"id":"{ONE_ID}","class":"shop.jobs.Report","method":"build","namespace":"shop"',
    ),
    "POST /api/v1/jobs:batch": Door(limit=MAX_BATCH_BYTES, into="jobs"),
    "POST /api/v1/jobs/{job_id}/cancel": _note(),
    "POST /api/v1/jobs/{job_id}/pause": _note(),
    "POST /api/v1/jobs/{job_id}/priority": _note('"priority":1'),
    "POST /api/v1/jobs/{job_id}/rerun": Door(limit=MAX_BODY_BYTES, into="parameters", others=f'"id":"{OTHER_ID}"'),
    "POST /api/v1/jobs/{job_id}/resume": _note(),
    "POST /api/v1/jobs/{job_id}/run-now": _note(),
    "POST /api/v1/jobs/{job_id}/stack": Door(),
    "POST /api/v1/jobs/{job_id}/suspend": _note(),
    "GET /api/v1/batches": Door(query=("namespace", "limit", "cursor")),
    "GET /api/v1/batches/{batch_id}": Door(),
    "POST /api/v1/batches/{batch_id}/cancel": _note(),
    "POST /api/v1/batches/{batch_id}/close": Door(),
    "GET /bulk/preview": Door(query=("verb", "ns", "state", "queue", "class", "cursor", *_FILTERS)),
    "GET /bulk/start": Door(),
    "GET /bulk/{namespace}/{bulk_id}": Door(),
    "GET /bulk/{namespace}/{bulk_id}/stop": Door(),
    "POST /bulk/start": _form("token", "note", "count"),
    "POST /bulk/{namespace}/{bulk_id}/stop": Door(),
    "GET /api/v1/bulk/{namespace}": Door(),
    "GET /api/v1/bulk/{namespace}/{bulk_id}": Door(),
    "POST /api/v1/bulk": Door(limit=MAX_BULK_BYTES, into="token"),
    "POST /api/v1/bulk/preview": Door(
        limit=MAX_BULK_BYTES, into="except", others='"verb":"cancel","namespace":"shop","filter":{}'
    ),
    "POST /api/v1/bulk/{namespace}/{bulk_id}/stop": Door(),
    "POST /api/v1/queues/{namespace}/{name}/limits": _note('"max_concurrent":5,"for_seconds":1'),
    "DELETE /api/v1/queues/{namespace}/{name}/limits": Door(),
    "POST /api/v1/queues/{namespace}/{name}/pause": _note(),
    "POST /api/v1/queues/{namespace}/{name}/resume": _note(),
    "POST /api/v1/schedules/{namespace}/{name}:pause": Door(),
    "POST /api/v1/schedules/{namespace}/{name}:resume": Door(),
    "POST /api/v1/schedules/{namespace}/{name}:run": Door(limit=MAX_NOTE_BYTES, into="id"),
    "POST /runner/v1/jobs/{job_id}/start": Door(limit=MAX_NOTE_BYTES, into="more", others=_POD),
    "POST /runner/v1/jobs/{job_id}/parent": Door(limit=MAX_NOTE_BYTES, into="parent", others=f'{_POD},"attempt":1'),
    "POST /runner/v1/jobs/{job_id}/parent-batch": Door(
        limit=MAX_NOTE_BYTES, into="batch", others=f'{_POD},"attempt":1'
    ),
    "POST /runner/v1/jobs/{job_id}/beat": Door(limit=MAX_BEAT_BYTES, into="checkpoint", others=f'{_POD},"attempt":1'),
    "POST /runner/v1/jobs/{job_id}/stack": Door(
        limit=MAX_STACKS_BYTES, into="text", others=f'{_POD},"attempt":1,"number":1'
    ),
    # Of an attempt that there is not yet: it is read in full, and decides nothing.
    "POST /runner/v1/jobs/{job_id}/finish": Door(
        limit=MAX_REPORT_BYTES,
        into="result",
        others=f'{_POD},"attempt":2,"outcome":"succeeded","has_result":true',
        parts=MOST_OF_A_REPORT,
    ),
}


def bodies(door: Door, known: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    """Each shape of a body, the plain one first.

    Args:
        door: which takes bodies.
        known: what is put for names in curly brackets.
    """
    if not door.into:
        yield from _forms(door)
        return
    if door.into == "jobs":
        yield from _batches(door.limit)
    others = door.others
    for name, value in known.items():
        others = others.replace(f"{{{name}}}", value)
    begin = "{" + (f"{others}," if others else "") + f'"{door.into}":'
    values = shapes.shapes(door.limit - len(begin))
    for kind in sorted(values, key=lambda kind: kind != shapes.PLAIN):
        yield kind, f"{begin}{values[kind]}}}".encode()
    yield from shapes.broken(door.limit).items()
    if door.parts:  # those of many parts were refused by their size alone, so again with as many parts as are read
        spaces = " " * (door.limit - door.parts)
        for kind, text in shapes.shapes(door.parts - len(begin)).items():
            yield f"{kind} and spaces", f"{begin}{spaces}{text}}}".encode()
        for kind, body in shapes.broken(door.parts).items():
            yield f"{kind} and spaces", spaces.encode() + body


def _forms(door: Door) -> Iterator[tuple[str, bytes]]:
    for name in door.fields or ("unknown",):
        for kind, text in shapes.pairs(name, door.limit).items():
            yield kind, text.encode()
    yield "zeros alone", b"\0" * door.limit
    yield "no UTF-8 alone", b"\xff" * door.limit


def _batches(limit: int) -> Iterator[tuple[str, bytes]]:
    """Many jobs, the last of which is wrong: all the others are read and judged first."""
    job = '{"id":"0197f000-0000-7000-8000-%012d","class":"shop.jobs.Report","method":"build","parameters":%s}'
    values = shapes.shapes(limit // 1000 - 150)
    for kind in sorted(values, key=lambda kind: kind != shapes.PLAIN):
        jobs = [job % (number, values[kind]) for number in range(999)]
        yield f"a thousand jobs: {kind}", f'{{"jobs":[{",".join([*jobs, jobs[0]])}]}}'.encode()
    small = [job % (number, "[]") for number in range(limit // 130)]
    yield "more jobs than there may be", f'{{"jobs":[{",".join(small)}]}}'.encode()
    yield "jobs that are none", b'{"jobs":[' + b",".join([b"{}"] * (limit // 3 - 10)) + b"]}"
