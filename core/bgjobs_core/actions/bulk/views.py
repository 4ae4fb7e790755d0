"""Bulks as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bgjobs.bulk import Bulk, BulkPreview
from bgjobs_core.actions.bulk.filters import Frozen
from bgjobs_core.jobs.views import certain, moment

if TYPE_CHECKING:
    from bgjobs_core.actions.bulk.preview import Preview
    from bgjobs_core.jobs.bulk import BulkRecord


def preview_view(found: Preview) -> BulkPreview:
    """What would be done."""
    order = found.order
    return BulkPreview(
        token=found.token,
        namespace=order.namespace,
        verb=order.verb,
        as_of=certain(order.as_of),
        counts=dict(found.counts),
        total=order.total,
        is_exact=order.is_exact,
        skipped={why.value: number for why, number in found.skipped.items()},
        expires_at=certain(found.expires_at),
    )


def bulk_view(record: BulkRecord) -> Bulk:
    """How far a bulk is."""
    return Bulk(
        id=record.id,
        namespace=record.namespace,
        verb=record.verb,
        state=record.state,
        filter=_filter(record),
        excepted=len(record.excepted),
        by=record.by,
        note=record.note or None,
        as_of=certain(record.as_of),
        started_at=certain(record.started_at),
        latest_at=certain(record.latest_at),
        ended_at=moment(record.ended_at),
        stopped_by=record.stopped_by or None,
        total=record.total,
        is_exact=record.is_exact,
        done=record.done,
        failed=record.failed,
        failures=dict(record.failures),
        skipped=dict(record.skipped),
        left=record.left,
        waits=record.waits or None,
    )


def _filter(record: BulkRecord) -> dict[str, Any]:
    """What is filtered by, as a caller would write it; nothing where it cannot be read."""
    try:
        named = Frozen.read(record.namespace, record.filter).named()
    except (KeyError, ValueError, TypeError):
        return {}
    if "phase" in named:
        named["state"] = named.pop("phase")
    if "labels" in named:
        named["label"] = ",".join(key if value is None else f"{key}={value}" for key, value in named.pop("labels"))
    for name in ("since", "until"):
        if name in named:
            named[name] = certain(named[name]).isoformat().replace("+00:00", "Z")
    return named
