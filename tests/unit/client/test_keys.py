"""A key of one's own in place of an id: what is sent, and what cannot be."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from pydantic import ValidationError

from bgjobs import (
    Call,
    ConflictError,
    EnqueueManyError,
    InvalidJobError,
    UnreachableError,
    run_background_job,
    run_background_job_async,
    run_background_jobs,
    with_options,
)
from bgjobs.client.request import build_request
from bgjobs.ids import is_job_id, is_of_a_key, key_job_id, new_job_id
from bgjobs.testing import eager
from bgjobs.wire import EnqueueRequest

from .conftest import job

if TYPE_CHECKING:
    from .conftest import FakeServer

KEY = "invoice-2026-11"
MAIL = "shop.jobs.Mail"
DERIVED = key_job_id("team-a", KEY)


class Mail:
    def send(self, to: str = "") -> str:
        return to


def test_an_id_of_a_key() -> None:
    """It is written down here, because another one would launch every job with a key once more."""
    assert key_job_id("shop", KEY) == "d79d8b2c-d5c2-8028-af35-3289646a1d5b"
    assert (uuid.UUID(DERIVED).version, uuid.UUID(DERIVED).variant) == (8, uuid.RFC_4122)
    assert is_of_a_key(DERIVED)
    assert not is_job_id(DERIVED)
    assert len({key_job_id(*one) for one in [("a", "b"), ("a", "c"), ("b", "b"), ("ab", ""), ("", "ab")]}) == 5


def test_what_is_sent_has_a_key_and_no_id(server: FakeServer) -> None:
    server.reply(job(id=DERIVED))

    with server.client() as client:
        handle = client.enqueue(MAIL, "send", key=KEY)

    assert server.body() == {
        "key": KEY, "class": MAIL, "method": "send", "parameters": [], "priority": 0, "delay_seconds": 0
    }  # fmt: skip
    assert handle.id == DERIVED


def test_without_an_answer_the_key_is_named(server: FakeServer) -> None:
    server.answers.append(httpx2.ConnectError("refused"))

    with server.client(retry_seconds=0) as client, pytest.raises(UnreachableError, match=f"again with key='{KEY}'"):
        client.enqueue(MAIL, "send", key=KEY)


def test_many_with_keys(server: FakeServer) -> None:
    own = new_job_id()
    server.reply({"items": [{"id": one, "state": "queued", "is_new": True} for one in (DERIVED, own)]})

    with server.client() as client:
        handles = client.enqueue_many([Call(MAIL, "send", key=KEY), Call(MAIL, "send", id=own)])

    assert [one.id for one in handles] == [DERIVED, own]
    assert [(one.get("id"), one.get("key")) for one in server.body()["jobs"]] == [(None, KEY), (own, None)]


def test_of_many_that_are_not_stored_a_key_is_named(server: FakeServer) -> None:
    server.answers.append(httpx2.ConnectError("refused"))

    with server.client(retry_seconds=0) as client, pytest.raises(EnqueueManyError) as caught:
        client.enqueue_many([Call(MAIL, "send", key=KEY)])

    assert caught.value.unknown == [KEY]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"key": KEY, "id": new_job_id()}, "an id or a key, from which its id is derived, and not both"),
        ({"key": 7}, "a key is text, such as invoice-2026-11, and not 7"),
        ({"key": ""}, "key: "),
        ({"key": "a\nb"}, "key: "),
        ({"key": "x" * 201}, "key: "),
        ({"id": DERIVED}, "must be a UUID of version 7"),
    ],
)
def test_what_is_no_key(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidJobError, match=words):
        build_request(MAIL, "send", **options)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "Field required"),
        ({"id": ""}, "Field required"),
        ({"id": DERIVED}, "version 7"),
        ({"id": new_job_id(), "key": KEY}, "together with a key"),
        ({"key": ""}, "at least 1 character"),
    ],
)
def test_bodies_that_are_refused(body: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        EnqueueRequest.model_validate({"class": MAIL, "method": "send", **body})

    assert len(caught.value.errors()) == 1


def test_two_jobs_of_one_key_cannot_be_asked_for_at_once() -> None:
    with eager(), pytest.raises(InvalidJobError, match="job 1: its key is that of job 0, too"):
        run_background_jobs([Call(MAIL, "send", key=KEY)] * 2)
    with eager(), pytest.raises(InvalidJobError, match="a key is that of one job: give it to its Call"):
        run_background_jobs([Call(MAIL, "send")], key=KEY)


async def test_in_memory_asking_twice_is_asking_once() -> None:
    with eager() as jobs:
        first = run_background_job(Mail, "send", ["ann"], key=KEY)
        again = await run_background_job_async(Mail, "send", ["ann"], key=KEY)
        typed = with_options(key=KEY).enqueue(Mail.send, "ann")
        (many,) = run_background_jobs([Call(Mail, "send", ["ann"], key=KEY)])
        other = run_background_job(Mail, "send", ["ann"], key=KEY, namespace="team-b")
        with pytest.raises(ConflictError, match=f"the key belongs to the job {first.id}, which was asked for in other"):
            run_background_job(Mail, "send", ["bob"], key=KEY)
        once_more = first.rerun()

    assert first.id == again.id == typed.id == many.id == key_job_id("default", KEY)
    assert other.id == key_job_id("team-b", KEY)
    assert is_job_id(once_more.id)
    assert len(jobs) == 3
