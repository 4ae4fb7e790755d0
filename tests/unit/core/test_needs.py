"""What a caller may say about the jobs that a job needs, and what makes two such requests the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest
from pydantic import ValidationError

from bgjobs.ids import key_job_id, new_job_id
from bgjobs.job_spec import JobSpec
from bgjobs.vocabulary import OnParentFailure, State
from bgjobs.wire import EnqueueRequest
from bgjobs_core.jobs.family import Family, Parent
from bgjobs_core.jobs.record import AskedJob
from bgjobs_core.jobs.spec import digest
from bgjobs_core.jobs.views import job_fields
from tests.store.builders import a_job

FIRST, SECOND = new_job_id(), key_job_id("shop", "invoice-2026-11")
SPEC: Final = JobSpec(cls="shop.jobs.Report", method="build")
ASKED: Final = AskedJob(id="01", namespace="shop", spec=SPEC, parameters="[1]", created_by="ada")


def _request(**fields: Any) -> EnqueueRequest:
    return EnqueueRequest.model_validate({"id": new_job_id(), "class": "a.B", "method": "c", **fields})


def test_a_job_needs_none_unless_it_says_so() -> None:
    request = _request()

    assert (request.needs, request.on_parent_failure) == ([], OnParentFailure.CANCEL)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"needs": [FIRST, FIRST]}, "each job once"),
        ({"id": FIRST, "needs": [FIRST]}, "the job itself"),
        ({"needs": ["nightly"]}, "the id of a job"),
        ({"needs": [new_job_id() for _ in range(101)]}, "at most 100"),
        ({"needs": [FIRST], "on_parent_failure": "ignore"}, "'cancel' or 'run'"),
    ],
)
def test_what_cannot_be_needed(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        _request(**fields)


def test_who_needs_none_has_the_digest_of_before() -> None:
    assert ASKED.digest == digest("shop", SPEC, "[1]")
    assert replace(ASKED, on_parent_failure=OnParentFailure.RUN).digest == ASKED.digest


def test_what_is_needed_is_part_of_what_was_asked_for() -> None:
    both = replace(ASKED, needs=(FIRST, SECOND))

    assert both.digest == replace(ASKED, needs=(SECOND, FIRST)).digest
    others = [
        ASKED,
        replace(ASKED, needs=(FIRST,)),
        both,
        replace(both, on_parent_failure=OnParentFailure.RUN),
    ]
    assert len({one.digest for one in others}) == len(others)


def test_the_api_shows_the_family_where_it_was_asked() -> None:
    child = a_job().but(needs=(FIRST, SECOND)).build().as_created(State.BLOCKED, 1)
    family = Family((Parent(FIRST, "nightly", State.FAILED, "error"), Parent(SECOND)), children=3)

    alone, shown = job_fields(child, []), job_fields(child, [], family=family)

    assert (alone["needs"], alone["on_parent_failure"], alone["parents"], alone["children"]) == (
        2, "cancel", None, None,
    )  # fmt: skip
    assert shown["children"] == 3
    assert [(one["id"], one["request"], one["state"], one["outcome"]) for one in shown["parents"]] == [
        (FIRST, "nightly", "failed", "error"),
        (SECOND, None, None, None),
    ]
