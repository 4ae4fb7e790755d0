"""report: what operators say of themselves, until it is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_core.health.findings import Finding
from bgjobs_core.health.operator_report import OperatorReport
from bgjobs_core.store import keys
from bgjobs_core.store.leading import REPORT_MS
from tests.store.life import EPOCH

if TYPE_CHECKING:
    from bgjobs_core.redis.connection import Client
    from tests.store.checked_store import CheckedStore

SAID = OperatorReport("0.1.0", "op-1", 1_795_000_000_000, (Finding("operator_fails", "é {}", "do this"),))


async def test_it_comes_back_as_it_was_and_is_forgotten_in_time(store: CheckedStore, client: Client) -> None:
    await store.lead(EPOCH)
    assert await store.operator_report("leading") is None

    assert await store.report(SAID, EPOCH) == "told"

    assert await store.operator_report("leading") == SAID
    assert await store.operator_report("waiting") is None
    assert 0 < await client.pttl(keys.operator("leading")) <= REPORT_MS


async def test_the_last_word_stands_alone(store: CheckedStore) -> None:
    await store.lead(EPOCH)
    await store.report(SAID, EPOCH)
    later = OperatorReport("0.2.0", "op-2", 5)

    await store.report(later, EPOCH)

    assert await store.operator_report("leading") == later


async def test_one_that_leads_no_more_says_nothing_as_the_leader(store: CheckedStore) -> None:
    await store.lead(EPOCH)
    await store.lead("a newer one")

    assert await store.report(SAID, EPOCH) == "not_leader"

    assert await store.operator_report("leading") is None


async def test_one_that_waits_is_no_leader(store: CheckedStore) -> None:
    assert await store.report(SAID) == "told"

    assert await store.operator_report("waiting") == SAID
    assert await store.operator_report("leading") is None


async def test_it_is_withdrawn_by_the_one_who_said_it(store: CheckedStore) -> None:
    await store.lead(EPOCH)
    await store.report(SAID, EPOCH)

    assert await store.withdraw_report(role="leading", pod="op-2") == "kept"
    assert await store.operator_report("leading") == SAID
    assert await store.withdraw_report(role="leading", pod="op-1") == "withdrawn"
    assert await store.withdraw_report(role="leading", pod="op-1") == "kept"
    assert await store.operator_report("leading") is None


async def test_what_another_version_has_written_is_read_as_far_as_it_goes(store: CheckedStore, client: Client) -> None:
    findings = '[{"code": "new", "detail": "d", "remedy": "r", "more": 1}, {"code": "cut"}, 7]'
    await client.hset(keys.operator("leading"), mapping={"pod": "op-9", "findings": findings, "since": "soon"})
    await client.expire(keys.operator("leading"), 60)

    assert await store.operator_report("leading") == OperatorReport("", "op-9", 0, (Finding("new", "d", "r"),))
