"""Whether a job may be enqueued: the whole policy as a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest
from pydantic import ValidationError

from bgjobs.job_spec import CompleteSpec, JobSpec
from bgjobs.vocabulary import UniqueMode
from bgjobs_core.jobs.admission import NotAdmitted, approved, decide, decide_by, decide_each, image_allowed
from bgjobs_core.jobs.queue import QueueRecord
from bgjobs_core.jobs.record import AskedJob, NewJob
from bgjobs_core.jobs.spec import likeness, shared_part, to_hashes, with_own_part
from bgjobs_core.resources.models import QueueSpec, Retention

QUEUE: Final = QueueSpec(
    approved_classes=["shop.jobs.*", "shop.mail.Digest"],
    image="registry/shop:1",
    images=["registry/shop:*", "registry/tools:v2"],
    default_max_retries=2,
    default_timeout_seconds=90,
    retention=Retention(records_seconds=1000, logs_seconds=500),
)
SPEC: Final = JobSpec(cls="shop.jobs.Report", method="build", priority=1)
ASKED: Final = AskedJob(id="01", namespace="shop", spec=SPEC, parameters="[1]", created_by="ada")


def asked(**changes: Any) -> AskedJob:
    """The job, with other fields of it or of its spec."""
    specs = {name: changes.pop(name) for name in list(changes) if name in JobSpec.model_fields}
    return replace(ASKED, spec=SPEC.model_copy(update=specs), **changes)


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
    wanted = asked(**change)

    decided = decide(wanted, spec)

    assert isinstance(decided, NotAdmitted)
    assert (decided.field, decided.code) == (field, code)
    # The message names what it is about.
    assert wanted.spec.queue in decided.message or str(change.get("image")) in decided.message


ADMITTED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # what is asked for: what differs, what it becomes
    "defaults of the queue": (
        {},
        {"max_retries": 2, "timeout_seconds": 90, "image": "registry/shop:1", "records_seconds": 1000,
         "logs_seconds": 500, "delay_seconds": 0, "not_before_ms": None},
    ),
    "own values": ({"max_retries": 5, "timeout_seconds": 1.5}, {"max_retries": 5, "timeout_seconds": 1.5}),
    "no retries at all": ({"max_retries": 0}, {"max_retries": 0}),
    "an image that fits": ({"image": "registry/shop:2026-11"}, {"image": "registry/shop:2026-11"}),
    "an image by its exact name": ({"image": "registry/tools:v2"}, {"image": "registry/tools:v2"}),
    "a class by its exact name": ({"cls": "shop.mail.Digest"}, {"cls": "shop.mail.Digest"}),
    "a class deep in a package": ({"cls": "shop.jobs.monthly.Report"}, {"cls": "shop.jobs.monthly.Report"}),
    "a delay with fractions": ({"delay_seconds": 0.0015}, {"delay_seconds": 0.0015}),
    "a time": ({"not_before_ms": 1_700_000_000_000}, {"not_before_ms": 1_700_000_000_000}),
    "a request": (
        {"request_name": "nightly", "request_uid": "u"}, {"request_name": "nightly", "request_uid": "u"}
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "becomes"), ADMITTED.values(), ids=ADMITTED)
def test_what_is_admitted_and_as_what(change: dict[str, Any], becomes: dict[str, Any]) -> None:
    decided = decide(asked(**change), QUEUE)

    assert isinstance(decided, NewJob)
    whole = {**vars(decided.asked), **vars(decided), **dict(decided.spec)}
    assert {name: whole[name] for name in becomes} == becomes
    assert (decided.id, whole["namespace"], whole["queue"], decided.queue_key) == (
        "01",
        "shop",
        "default",
        "shop/default",
    )
    assert (whole["method"], whole["parameters"], whole["priority"], whole["created_by"]) == ("build", "[1]", 1, "ada")


def test_the_first_thing_that_is_wrong_is_said() -> None:
    wanted = asked(cls="evil.Class", image="evil")

    decided = decide(wanted, QUEUE)

    assert isinstance(decided, NotAdmitted)
    assert decided.code == "class_not_approved"


def test_a_queue_that_is_refused_takes_no_job() -> None:
    decided = decide(asked(), QUEUE, refused="spec.pod.volumes[0].hostPath is not allowed here")

    assert isinstance(decided, NotAdmitted)
    assert (decided.field, decided.code) == ("queue", "queue_refused")
    assert "spec.pod.volumes[0].hostPath is not allowed here" in decided.message


def test_patterns_are_no_regular_expressions() -> None:
    assert not approved("shopXjobs.Report", ["shop.jobs.*"])
    assert not image_allowed("registryXshop:1", QueueSpec(images=["registry.shop:*"]))
    assert approved("shop.jobs.Report", iter(["nothing.Else", "shop.jobs.*"]))


# ------------------------------------------------------------------------------- many at once
def test_each_of_many_is_decided_as_it_would_be_alone() -> None:
    queues = {
        "shop/default": QueueRecord("shop", "default", QUEUE, uid="uid-1"),
        "shop/mail": QueueRecord("shop", "mail", QUEUE.model_copy(update={"image": "registry/mail:1"}), uid="uid-2"),
        "shop/shut": QueueRecord("shop", "shut", QUEUE, refused="its pods ask for too much"),
        "shop/gone": None,
    }
    kinds: list[dict[str, Any]] = [
        *(change for change, _ in ADMITTED.values()),
        *(change for change, spec, _, _ in REFUSED.values() if spec is QUEUE),
        *({"queue": name} for name in ("mail", "shut", "gone")),
        *({name: DIGESTED[name]} for name in sorted((DIGESTED.keys() & JobSpec.model_fields.keys()) - {"queue"})),
        {"last_image": "registry/shop:7"},
        {"parameters": "[2]"},
        {"retry_on": []},
        {"created_by": "bob"},
    ]
    wanted = [asked(id=f"{turn}/{number}", **kind) for turn in range(2) for number, kind in enumerate(kinds)]

    decided = decide_each(wanted, queues)

    assert decided == [decide_by(one, queues[one.queue_key]) for one in wanted]
    assert {type(one) for one in decided} == {NewJob, NotAdmitted}
    first, again = decided[: len(kinds)], decided[len(kinds) :]
    for one, other in zip(first, again, strict=True):
        if isinstance(one, NewJob):
            assert isinstance(other, NewJob)
            assert one.spec is other.spec, "it was made once"


@pytest.mark.parametrize("field", JobSpec.model_fields)
def test_two_specs_that_differ_are_not_alike(field: str) -> None:
    """No job is ever taken for one that is alike because a field was forgotten."""
    other = {**DIGESTED, "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}[field]

    assert likeness(SPEC.model_copy(update={field: other})) != likeness(SPEC)
    assert likeness(SPEC.model_copy()) == likeness(SPEC)


# ------------------------------------------------------------- the digest of what was asked
DIGESTED: dict[str, Any] = {
    "namespace": "other", "queue": "other", "cls": "shop.jobs.Other", "method": "other", "parameters": "[2]",
    "priority": 0, "delay_seconds": 1.0, "max_retries": 2, "timeout_seconds": 90.0, "image": "registry/shop:1",
    "expires_after_seconds": 60.0,
    "retry_on": ["OSError"], "abort_on": ["KeyError"], "backoff_seconds": 1.0, "backoff_cap_seconds": 60.0,
    "request_uid": "u", "rerun_of": "01", "labels": {"team": "billing"}, "concurrency_key": "acme",
    "unique_key": "report", "unique_mode": UniqueMode.REPLACE, "unique_for_seconds": 60,
}  # fmt: skip


@pytest.mark.parametrize("field", DIGESTED)
def test_another_content_has_another_digest(field: str) -> None:
    assert asked(**{field: DIGESTED[field]}).digest != ASKED.digest


def test_every_field_of_a_spec_is_in_the_digest() -> None:
    """But for the trace: whoever asks again is somewhere else in a program by then."""
    assert JobSpec.model_fields.keys() - {"traceparent"} <= DIGESTED.keys()
    assert asked(traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").digest == ASKED.digest


def test_neither_who_asks_nor_the_id_nor_the_queue_s_defaults_are_in_the_digest() -> None:
    assert asked(created_by="bob", id="02", last_image="registry/shop:1").digest == ASKED.digest
    assert len(ASKED.digest) == 22


def test_fields_do_not_run_into_each_other() -> None:
    assert asked(cls="ab", method="c").digest != asked(cls="a", method="bc").digest


# ---------------------------------------------------------------------- a spec in a record's hash
def test_a_spec_comes_back_from_redis_as_it_was() -> None:
    full = CompleteSpec(
        queue="mail", cls="shop.jobs.Mail", method="send", priority=1, delay_seconds=0.5, max_retries=0,
        timeout_seconds=1.5, image="registry/shop:1", labels={"example.com/team": "billing", "empty": ""},
        unique_key="report", unique_mode=UniqueMode.IGNORE, unique_for_seconds=60,
        retry_on=[], abort_on=["shop.errors.Gone"], backoff_seconds=0, backoff_cap_seconds=60,
    )  # fmt: skip
    least = CompleteSpec(cls="shop.jobs.Mail", method="send", max_retries=3, timeout_seconds=60)

    for spec in (full, least):
        shared, own = ({name.encode(): str(value).encode() for name, value in part.items()} for part in to_hashes(spec))
        assert with_own_part(shared_part(shared), own) == spec
    assert to_hashes(full) == (
        {
            "queue": "mail", "class": "shop.jobs.Mail", "method": "send", "max_retries": 0, "timeout_seconds": 1.5,
            "image": "registry/shop:1", "retry_on": "[]", "abort_on": '["shop.errors.Gone"]', "backoff_seconds": 0.0,
            "backoff_cap_seconds": 60.0,
        },
        {
            "priority": 1, "delay_seconds": 0.5, "labels": '{"example.com/team": "billing", "empty": ""}',
            "unique_key": "report", "unique_mode": "ignore", "unique_for_seconds": 60,
        },
    )  # fmt: skip


def test_what_is_as_by_default_takes_no_room_in_redis() -> None:
    least = CompleteSpec(cls="shop.jobs.Mail", method="send", max_retries=3, timeout_seconds=60)

    shared, own = to_hashes(least)
    assert shared.keys() == {"queue", "class", "method", "max_retries", "timeout_seconds"}
    assert own.keys() == {"priority"}


# -------------------------------------------------------------------------------------------- labels
GOOD_LABELS: dict[str, dict[str, str]] = {
    "a name": {"team": "billing"},
    "a domain": {"example.com/team": "billing"},
    "all that a name may hold": {"A1-_.z": "B2-_.y"},
    "longest": {f"{'d' * 172}/{'n' * 63}": "v" * 63},
    "no value": {"team": ""},
    "sixteen": {f"k{number}": "v" for number in range(16)},
}
BAD_LABELS: dict[str, dict[str, Any]] = {
    "empty key": {"": "v"},
    "space": {"my team": "v"},
    "ends with a dash": {"team-": "v"},
    "empty domain": {"/team": "v"},
    "domain with two dots": {"a..b/team": "v"},
    "domain with capitals": {"Example.com/team": "v"},
    "two slashes": {"a/b/c": "v"},
    "name too long": {"n" * 64: "v"},
    "key too long": {f"{'d' * 173}/{'n' * 63}": "v"},
    "value too long": {"team": "v" * 64},
    "value with a space": {"team": "a b"},
    "value is a number": {"team": 1},
    "line end": {"team\n": "v"},
    "seventeen": {f"k{number}": "v" for number in range(17)},
}


def a_call(labels: dict[str, Any]) -> dict[str, Any]:
    return {"class": "shop.jobs.Mail", "method": "send", "labels": labels}


@pytest.mark.parametrize("labels", GOOD_LABELS.values(), ids=GOOD_LABELS)
def test_good_labels(labels: dict[str, str]) -> None:
    assert JobSpec.model_validate(a_call(labels)).labels == labels


@pytest.mark.parametrize("labels", BAD_LABELS.values(), ids=BAD_LABELS)
def test_bad_labels(labels: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        JobSpec.model_validate(a_call(labels))
    assert {error["loc"][0] for error in refused.value.errors()} == {"labels"}


def test_the_order_of_labels_makes_no_other_job() -> None:
    one, other = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}
    assert asked(labels=one).digest == asked(labels=other).digest
