"""Filters of a list, as the clients ask for them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from bgjobs import InvalidJobError
from bgjobs.client.endpoints import list_jobs
from bgjobs.client.list_filters import query_of


def test_all_of_them() -> None:
    at = datetime(2026, 11, 24, 10, tzinfo=timezone(timedelta(hours=1)))
    found = list_jobs(
        20, None, namespace="shop", state="failed", queue="mail", class_="shop.jobs.Mail", batch="b", outcome="error",
        error_type="ValueError", who="web", schedule="nightly", request="november",
        labels={"team": "billing", "region": None}, since=at, until=datetime(2026, 11, 25, tzinfo=UTC),
    )  # fmt: skip
    assert found.query == {
        "namespace": "shop", "state": "failed", "queue": "mail", "class": "shop.jobs.Mail", "batch": "b",
        "outcome": "error", "error_type": "ValueError", "who": "web", "schedule": "nightly", "request": "november",
        "label": "team=billing,region", "since": "2026-11-24T10:00:00+01:00", "until": "2026-11-25T00:00:00+00:00",
        "limit": "20",
    }  # fmt: skip
    assert query_of(state=None) == {}


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"since": datetime(2026, 11, 24)}, "since"),  # noqa: DTZ001 - which is the point
        ({"until": "1h"}, "until"),
        ({"labels": {"a": "b,c"}}, "labels"),
        ({"class_": "Mail"}, "class"),
        ({"stat": "failed"}, "stat"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_sent(filters: Any, field: str) -> None:
    with pytest.raises(InvalidJobError) as caught:
        query_of(**filters)
    assert caught.value.field == field
