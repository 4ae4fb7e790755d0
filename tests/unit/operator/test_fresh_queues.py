"""Which namespaces are launched in: those whose queues this leader has seen itself."""

from __future__ import annotations

import pytest

from bgjobs_operator.loops.fresh_queues import FreshQueues


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def fresh(told: list[str]) -> FreshQueues:
    return FreshQueues(lambda: told.append("told"))


def test_a_namespace_is_fresh_once_each_of_its_queues_was_looked_at(fresh: FreshQueues, told: list[str]) -> None:
    assert fresh.among(["shop"]) == []
    fresh.listed("shop", {"default", "gone"})
    fresh.looked_at("shop", "default")
    assert (fresh.among(["shop"]), told) == ([], [])
    fresh.looked_at("shop", "gone")
    assert (fresh.among(["shop", "mail"]), told) == (["shop"], ["told"])


def test_a_namespace_without_queues_is_fresh_once_that_was_seen(fresh: FreshQueues, told: list[str]) -> None:
    fresh.listed("shop", ())
    assert (fresh.among(["shop"]), told) == (["shop"], ["told"])


def test_what_was_looked_at_before_the_list_is_looked_at_again(fresh: FreshQueues) -> None:
    """The list comes with another look at each queue."""
    fresh.looked_at("shop", "default")
    fresh.listed("shop", {"default"})
    assert fresh.among(["shop"]) == []
    fresh.looked_at("shop", "default")
    assert fresh.among(["shop"]) == ["shop"]


def test_a_later_list_closes_nothing(fresh: FreshQueues, told: list[str]) -> None:
    fresh.listed("shop", ())
    fresh.listed("shop", {"new"})
    assert (fresh.among(["shop"]), told) == (["shop"], ["told"])
