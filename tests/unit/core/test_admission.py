"""Whether a job may be enqueued: the whole policy as a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from bgjobs_core.jobs.admission import Refused, Wanted, approved, decide, image_allowed
from bgjobs_core.jobs.record import NewJob
from bgjobs_core.resources.models import QueueSpec, Retention

QUEUE: Final = QueueSpec(
    approved_classes=["shop.jobs.*", "shop.mail.Digest"],
    image="registry/shop:1",
    images=["registry/shop:*", "registry/tools:v2"],
    default_max_retries=2,
    default_timeout_seconds=90,
    retention=Retention(records_seconds=1000, logs_seconds=500),
)
WANTED: Final = Wanted(
    id="01", namespace="shop", queue="default", cls="shop.jobs.Report", method="build", parameters="[1]", priority=1,
    delay_seconds=0, max_retries=None, timeout_seconds=None, image=None, created_by="ada",
)  # fmt: skip

REFUSED: dict[str, tuple[dict[str, Any], QueueSpec | None, str, str]] = {
    # what is wrong: what differs, the queue, the field, the code
    "no such queue": ({}, None, "queue", "queue_not_found"),
    "class of another package": ({"cls": "os.System"}, QUEUE, "class", "class_not_approved"),
    "package itself": ({"cls": "shop.jobs"}, QUEUE, "class", "class_not_approved"),
    "package with that beginning": ({"cls": "shop.jobsies.Evil"}, QUEUE, "class", "class_not_approved"),
    "other class of the module": ({"cls": "shop.mail.Other"}, QUEUE, "class", "class_not_approved"),
    "longer name": ({"cls": "shop.mail.Digest.Inner"}, QUEUE, "class", "class_not_approved"),
    "other case": ({"cls": "shop.mail.digest"}, QUEUE, "class", "class_not_approved"),
    "nothing is approved": ({}, QueueSpec(image="registry/shop:1"), "class", "class_not_approved"),
    "no image anywhere": ({}, QueueSpec(approved_classes=["shop.jobs.*"]), "image", "image_missing"),
    "image of another repository": ({"image": "registry/evil:1"}, QUEUE, "image", "image_not_allowed"),
    "image with that beginning": ({"image": "registry/tools:v2-evil"}, QUEUE, "image", "image_not_allowed"),
    "image of another registry": ({"image": "evil/registry/shop:1"}, QUEUE, "image", "image_not_allowed"),
    "queue lists no images": (
        {"image": "registry/shop:2"},
        QueueSpec(approved_classes=["shop.jobs.*"], image="registry/shop:1"),
        "image",
        "image_not_allowed",
    ),
}


@pytest.mark.parametrize(("change", "spec", "field", "code"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_and_why(change: dict[str, Any], spec: QueueSpec | None, field: str, code: str) -> None:
    wanted = replace(WANTED, **change)

    decided = decide(wanted, spec)

    assert isinstance(decided, Refused)
    assert (decided.field, decided.code) == (field, code)
    # The message names what it is about.
    assert wanted.queue in decided.message or str(change.get("image")) in decided.message


ADMITTED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # what is asked for: what differs, what it becomes
    "defaults of the queue": (
        {},
        {"max_retries": 2, "timeout_seconds": 90, "image": "registry/shop:1", "records_seconds": 1000,
         "logs_seconds": 500, "delay_ms": 0, "not_before_ms": None},
    ),
    "own values": ({"max_retries": 5, "timeout_seconds": 1.5}, {"max_retries": 5, "timeout_seconds": 1.5}),
    "no retries at all": ({"max_retries": 0}, {"max_retries": 0}),
    "an image that fits": ({"image": "registry/shop:2026-11"}, {"image": "registry/shop:2026-11"}),
    "an image by its exact name": ({"image": "registry/tools:v2"}, {"image": "registry/tools:v2"}),
    "a class by its exact name": ({"cls": "shop.mail.Digest"}, {"cls": "shop.mail.Digest"}),
    "a class deep in a package": ({"cls": "shop.jobs.monthly.Report"}, {"cls": "shop.jobs.monthly.Report"}),
    "a delay with fractions": ({"delay_seconds": 0.0015}, {"delay_ms": 2}),
    "a time": ({"not_before_ms": 1_700_000_000_000}, {"not_before_ms": 1_700_000_000_000}),
    "a request": (
        {"request_name": "nightly", "request_uid": "u"}, {"request_name": "nightly", "request_uid": "u"}
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "becomes"), ADMITTED.values(), ids=ADMITTED)
def test_what_is_admitted_and_as_what(change: dict[str, Any], becomes: dict[str, Any]) -> None:
    decided = decide(replace(WANTED, **change), QUEUE)

    assert isinstance(decided, NewJob)
    assert {name: getattr(decided, name) for name in becomes} == becomes
    assert (decided.id, decided.namespace, decided.queue, decided.queue_key) == (
        "01",
        "shop",
        "default",
        "shop/default",
    )
    assert (decided.method, decided.parameters, decided.priority, decided.created_by) == ("build", "[1]", 1, "ada")


def test_the_first_thing_that_is_wrong_is_said() -> None:
    wanted = replace(WANTED, cls="evil.Class", image="evil")

    decided = decide(wanted, QUEUE)

    assert isinstance(decided, Refused)
    assert decided.code == "class_not_approved"


def test_patterns_are_no_regular_expressions() -> None:
    assert not approved("shopXjobs.Report", ["shop.jobs.*"])
    assert not image_allowed("registryXshop:1", QueueSpec(images=["registry.shop:*"]))
    assert approved("shop.jobs.Report", iter(["nothing.Else", "shop.jobs.*"]))


# ------------------------------------------------------------- the digest of what was asked
DIGESTED: Final = (
    "namespace", "queue", "cls", "method", "parameters", "priority", "delay_ms", "max_retries", "timeout_seconds",
    "image", "request_uid",
)  # fmt: skip


def _job() -> NewJob:
    decided = decide(WANTED, QUEUE)
    assert isinstance(decided, NewJob)
    return decided


@pytest.mark.parametrize("field", DIGESTED)
def test_another_content_has_another_digest(field: str) -> None:
    job = _job()
    value = getattr(job, field)
    other = value + 1 if isinstance(value, (int, float)) else f"{value}x"

    assert replace(job, **{field: other}).digest() != job.digest()


def test_neither_who_asks_nor_the_id_is_in_the_digest() -> None:
    job = _job()

    assert replace(job, created_by="bob", id="02", records_seconds=1, logs_seconds=1).digest() == job.digest()
    assert len(job.digest()) == 64


def test_fields_do_not_run_into_each_other() -> None:
    job = _job()

    assert replace(job, cls="ab", method="c").digest() != replace(job, cls="a", method="bc").digest()
