"""What each refusal of a POST means. Bodies marked `real` are what a Kubernetes 1.36 API server answered."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bgjobs_core.kube.errors import error_from_response
from bgjobs_operator.cluster.refusals import classify
from bgjobs_operator.interfaces.launcher import Refusal

POLICY = "ValidatingAdmissionPolicy 'images' with binding 'images' denied request: no such registry"
DENIED = 'admission webhook "deny.example" denied the request'


def body(code: int, reason: str | None, message: str, **details: Any) -> bytes:
    status: dict[str, Any] = {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "code": code,
    }  # fmt: skip
    if reason is not None:
        status["reason"] = reason
    if details:
        status["details"] = details
    return json.dumps(status).encode()


TABLE: dict[str, tuple[int, bytes, Refusal]] = {
    "real: quota is used up": (
        403,
        body(
            403,
            "Forbidden",
            'jobs.batch "probe" is forbidden: exceeded quota: q, requested: count/jobs.batch=1, '
            "used: count/jobs.batch=3, limited: count/jobs.batch=1",
            name="probe",
            group="batch",
            kind="jobs",
        ),
        Refusal.QUOTA,
    ),
    "quota asks for limits": (
        403,
        body(403, "Forbidden", 'jobs.batch "probe" is forbidden: failed quota: q: must specify limits.cpu'),
        Refusal.QUOTA,
    ),
    "quota was not counted yet": (
        403,
        body(403, "Forbidden", 'jobs.batch "probe" is forbidden: status unknown for quota: q, resources: jobs'),
        Refusal.QUOTA,
    ),
    "quota for a priority class is missing": (
        403,
        body(403, "Forbidden", "jobs.batch is forbidden: insufficient quota to match these scopes: [PriorityClass]"),
        Refusal.QUOTA,
    ),
    "quota was counted by two at once": (
        409,
        body(409, "Conflict", 'Operation cannot be fulfilled on resourcequotas "q": the object has been modified'),
        Refusal.BUSY,
    ),
    "real: RBAC": (
        403,
        body(
            403,
            "Forbidden",
            'jobs.batch is forbidden: User "eve" cannot create resource "jobs" in API group "batch" '
            'in the namespace "shop"',
            group="batch",
            kind="jobs",
        ),
        Refusal.FORBIDDEN,
    ),
    "RBAC, and a role of it is missing": (
        403,
        body(
            403,
            "Forbidden",
            'jobs.batch is forbidden: User "op" cannot create resource "jobs" in API group "batch" in the namespace '
            '"shop": RBAC: role.rbac.authorization.k8s.io "op" not found',
        ),
        Refusal.FORBIDDEN,
    ),
    "real: our token is no good": (401, body(401, "Unauthorized", "Unauthorized"), Refusal.FORBIDDEN),
    "real: namespace terminating": (
        403,
        body(
            403,
            "Forbidden",
            'jobs.batch "probe" is forbidden: unable to create new content in namespace shop because it is being '
            "terminated",
            name="probe",
            group="batch",
            kind="jobs",
            causes=[
                {
                    "reason": "NamespaceTerminating",
                    "message": "namespace shop is being terminated",
                    "field": "metadata.namespace",
                }
            ],
        ),
        Refusal.TERMINATING,
    ),
    "real: no such namespace": (
        404,
        body(404, "NotFound", 'namespaces "shop" not found', name="shop", kind="namespaces"),
        Refusal.TERMINATING,
    ),
    "real: batch is not served (yet)": (
        404,
        body(404, "NotFound", "the server could not find the requested resource"),
        Refusal.BUSY,
    ),
    "a proxy knows no such page": (404, b"404 page not found\n", Refusal.BUSY),
    "a proxy wants a login": (403, b"<html>403 Forbidden</html>", Refusal.BUSY),
    "real: policy says no, as invalid": (
        422,
        body(422, "Invalid", f'jobs.batch "probe" is forbidden: {POLICY}', causes=[{"message": POLICY}]),
        Refusal.INVALID,
    ),
    "real: policy says no, as forbidden": (
        403,
        body(403, "Forbidden", f'jobs.batch "probe" is forbidden: {POLICY}', causes=[{"message": POLICY}]),
        Refusal.INVALID,
    ),
    "real: webhook says no": (400, body(400, None, f"{DENIED}: image registry is not trusted"), Refusal.INVALID),
    "real: webhook says no in a word": (403, body(403, "PolicyViolation", f"{DENIED}: Policy"), Refusal.INVALID),
    "real: webhook says no and not why": (400, body(400, None, f"{DENIED} without explanation"), Refusal.INVALID),
    "real: webhook says not now": (429, body(429, None, f"{DENIED}: slow down"), Refusal.BUSY),
    "real: webhook is away": (
        500,
        body(
            500,
            "InternalError",
            'Internal error occurred: failed calling webhook "down.example": failed to call webhook: '
            'Post "https://127.0.0.1:9/x?timeout=1s": dial tcp 127.0.0.1:9: connect: connection refused',
        ),
        Refusal.BUSY,
    ),
    "real: webhook is too slow": (
        500,
        body(
            500,
            "InternalError",
            'Internal error occurred: failed calling webhook "deny.example": failed to call webhook: '
            'Post "https://127.0.0.1:18443/x?timeout=2s": context deadline exceeded',
        ),
        Refusal.BUSY,
    ),
    "PodSecurity of a pod": (
        403,
        body(
            403,
            "Forbidden",
            'pods "probe" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
        ),
        Refusal.BUSY,
    ),
    "a plugin says no in words of its own": (
        403,
        body(403, "Forbidden", 'jobs.batch "probe" is forbidden: no PriorityClass with name high was found'),
        Refusal.BUSY,
    ),
    "a webhook of 403 without the words of one": (403, body(403, "PolicyViolation", "no"), Refusal.BUSY),
    "a policy says no, as unauthorized": (401, body(401, "Unauthorized", POLICY), Refusal.INVALID),
    "a policy says no, as too large": (413, body(413, "RequestEntityTooLarge", POLICY), Refusal.INVALID),
    "a webhook says no, with a conflict": (409, body(409, "Conflict", f"{DENIED}: later"), Refusal.BUSY),
    "a webhook says no, and is in trouble": (503, body(503, None, f"{DENIED}: my database"), Refusal.BUSY),
    "a job's name that looks like a denial": (
        403,
        body(403, "Forbidden", 'jobs.batch "denied request" is forbidden: later'),
        Refusal.BUSY,
    ),
    "the method is not allowed, while a server is exchanged": (
        405,
        body(405, "MethodNotAllowed", "the server does not allow this method on the requested resource"),
        Refusal.BUSY,
    ),
    "no answer in our format": (406, body(406, "NotAcceptable", "only the following media types"), Refusal.BUSY),
    "the body has a type that a proxy does not know": (415, body(415, "UnsupportedMediaType", "no"), Refusal.BUSY),
    "an endpoint that is gone": (410, body(410, "Gone", "gone"), Refusal.BUSY),
    "a reason that nobody has listed": (418, body(418, "Teapot", "short and stout"), Refusal.BUSY),
    "a bad request of a proxy": (400, b"<html>400 Bad Request</html>", Refusal.BUSY),
    "a bad request without a reason": (400, body(400, None, "no"), Refusal.BUSY),
    "a login that a proxy wants": (401, b"<html>401</html>", Refusal.BUSY),
    "an answer that is nested too deeply": (422, b"[" * 100_000, Refusal.BUSY),
    "real: fields are invalid": (
        422,
        body(
            422,
            "Invalid",
            'Job.batch "BAD" is invalid: [metadata.name: Invalid value: "BAD", spec.template.spec.containers[0].image: '
            "Required value]",
            causes=[
                {"reason": "FieldValueInvalid", "message": "Invalid value", "field": "metadata.name"},
                {"reason": "FieldValueRequired", "message": "Required", "field": "spec.template.spec.restartPolicy"},
            ],
        ),
        Refusal.INVALID,
    ),
    "real: fields are of the wrong type": (
        400,
        body(400, "BadRequest", "Job in version v1 cannot be handled as a Job: json: cannot unmarshal array"),
        Refusal.INVALID,
    ),
    "real: the object names another namespace": (
        400,
        body(400, "BadRequest", "the namespace of the provided object does not match the namespace sent"),
        Refusal.INVALID,
    ),
    "too large": (413, body(413, "RequestEntityTooLarge", "Request entity too large"), Refusal.INVALID),
    "admission is not ready": (
        403,
        body(403, "Forbidden", 'jobs.batch "probe" is forbidden: not yet ready to handle request'),
        Refusal.BUSY,
    ),
    "too many requests": (
        429,
        body(429, "TooManyRequests", "Too many requests, please try again later.", retryAfterSeconds=1),
        Refusal.BUSY,
    ),
    "etcd's leader changes": (500, body(500, "InternalError", "etcdserver: leader changed"), Refusal.BUSY),
    "the API server starts": (503, body(503, "ServiceUnavailable", "apiserver not ready"), Refusal.BUSY),
    "it took too long": (504, body(504, "Timeout", "request did not complete"), Refusal.BUSY),
    "storage took too long": (500, body(500, "ServerTimeout", "The operation could not be completed"), Refusal.BUSY),
    "a proxy waited too long": (408, b"", Refusal.BUSY),
    "a load balancer has no server": (502, b"<html>Bad Gateway</html>", Refusal.BUSY),
}  # fmt: skip


@pytest.mark.parametrize(("code", "raw", "expected"), TABLE.values(), ids=TABLE)
def test_what_a_refusal_means(code: int, raw: bytes, expected: Refusal) -> None:
    assert classify(error_from_response(code, raw)) is expected


@pytest.mark.parametrize(
    ("headers", "raw", "expected"),
    [
        ({"Retry-After": "7"}, b"{}", 7.0),
        ({}, body(429, "TooManyRequests", "later", retryAfterSeconds=3), 3.0),
        ({"Retry-After": "7"}, body(429, "TooManyRequests", "later", retryAfterSeconds=3), 7.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, b"{}", None),
        ({"Retry-After": "86400"}, b"{}", 86400.0),
        ({}, body(429, "TooManyRequests", "later", retryAfterSeconds=10**30), 1e30),
        ({"Retry-After": "9" * 500}, b"{}", float("inf")),
        ({"Retry-After": "\u0663"}, b"{}", None),
        ({"Retry-After": "-1"}, b"{}", None),
        ({}, b"not JSON", None),
        ({}, b'["a", "list"]', None),
    ],
)
def test_when_to_come_again(headers: dict[str, str], raw: bytes, expected: float | None) -> None:
    assert error_from_response(429, raw, headers).retry_after == expected


def test_causes_of_a_refusal() -> None:
    raw = body(422, "Invalid", "no", causes=[{"reason": "FieldValueInvalid", "field": "spec", "message": "bad"}, {}])
    assert error_from_response(422, raw).causes == (("FieldValueInvalid", "spec", "bad"), ("", "", ""))


def test_words_of_a_refusal_can_be_stored_and_shown() -> None:
    """They become a job's reason."""
    hostile = error_from_response(422, body(422, "Invalid", "a \0 and \x1b[31m and \ud83d" + "x" * 100_000))
    assert hostile.message.startswith("a \ufffd and \ufffd[31m and \ufffdx")
    assert len(hostile.message) <= 4096


def test_a_status_of_wrong_types() -> None:
    odd = {"status": 1, "reason": ["x"], "message": {"a": 1}, "details": {"causes": ["x", {"reason": 3}]}}
    error = error_from_response(422, json.dumps(odd).encode())
    assert (error.reason, error.causes) == ("", (("", "", ""),))


def test_words_that_are_no_status_are_kept_as_the_message() -> None:
    assert error_from_response(502, b"Bad \xffGateway").message == "Bad \ufffdGateway"
