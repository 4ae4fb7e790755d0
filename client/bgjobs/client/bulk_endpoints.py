"""The endpoints of the API for bulks, each as the call that asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Unpack
from urllib.parse import quote

from pydantic import ValidationError

from bgjobs.bulk import Bulk, BulkList, BulkPreview, BulkPreviewRequest, BulkStartRequest
from bgjobs.client.list_filters import query_of
from bgjobs.connection.exchange import Call, reader
from bgjobs.errors import InvalidJobError
from bgjobs.vocabulary import BulkVerb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.client.list_filters import JobFilters

_BULK: Final = "/api/v1/bulk"
_AGAIN: Final = "Whether it was begun is unknown; ask again with the same token, which begins it once"


def preview(verb: str, excepted: Sequence[str], note: str | None, **filters: Unpack[JobFilters]) -> Call[BulkPreview]:
    """`POST /api/v1/bulk/preview`.

    Raises:
        InvalidJobError: if something is not what it should be; nothing is sent then.
    """
    asked = query_of(**filters)
    namespace = asked.pop("namespace", None)
    if verb not in set(BulkVerb):
        raise InvalidJobError(f"there is no verb {verb!r}; there are {', '.join(BulkVerb)}", "verb")
    try:
        body = BulkPreviewRequest.model_validate(
            {"namespace": namespace, "verb": verb, "filter": asked, "except": list(excepted), "note": note},
            by_alias=True,
            by_name=False,
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]).removeprefix("filter.")
        raise InvalidJobError(f"{field}: {first['msg'].removeprefix('Value error, ')}", field) from error
    return Call(
        "POST",
        f"{_BULK}/preview",
        reader(BulkPreview),
        body=body.model_dump_json(by_alias=True, exclude_none=True).encode(),
    )


def start(token: str) -> Call[Bulk]:
    """`POST /api/v1/bulk`."""
    body = BulkStartRequest(token=token).model_dump_json().encode()
    return Call("POST", _BULK, reader(Bulk), body=body, unanswered=_AGAIN)


def get(namespace: str, bulk_id: str) -> Call[Bulk]:
    """`GET /api/v1/bulk/{namespace}/{id}`."""
    return Call("GET", _path(namespace, bulk_id), reader(Bulk))


def stop(namespace: str, bulk_id: str) -> Call[Bulk]:
    """`POST /api/v1/bulk/{namespace}/{id}/stop`."""
    return Call("POST", f"{_path(namespace, bulk_id)}/stop", reader(Bulk))


def latest(namespace: str) -> Call[Sequence[Bulk]]:
    """`GET /api/v1/bulk/{namespace}`."""
    read = reader(BulkList)
    return Call("GET", f"{_BULK}/{quote(namespace, safe='')}", lambda response: read(response).items)


def _path(namespace: str, bulk_id: str) -> str:
    return f"{_BULK}/{quote(namespace, safe='')}/{quote(bulk_id, safe='')}"
