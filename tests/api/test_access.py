"""SubjectAccessReviews: what is asked, how long an answer holds, and what happens without one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from bgjobs_api.clock import Moment
from bgjobs_api.identity import access
from bgjobs_api.identity.access import Action, ReviewedAccess
from bgjobs_core.kube.errors import KubeError, KubeRefusedError, KubeUnreachableError
from tests.api.world import service_account
from tests.unit.operator.world import until

if TYPE_CHECKING:
    from bgjobs_core.kube.door import Kube
    from tests.api.world import World

WEB = service_account("shop", "web")


def moment(seconds: float) -> Moment:
    return Moment(1e9 + seconds, seconds)


class FakeKube:
    """Answers reviews."""

    def __init__(self) -> None:
        self.allows = True
        self.failure: KubeError | None = None
        self.asked: list[dict[str, Any]] = []
        self.gate: asyncio.Event | None = None

    async def ask(self, question: dict[str, Any]) -> bool:
        self.asked.append(question)
        if self.gate:
            await self.gate.wait()
        if self.failure:
            raise self.failure
        return self.allows


ACTIONS = [
    pytest.param(access.ENQUEUE, "create", "backgroundjobrequests", None, id="enqueue"),
    pytest.param(access.GET, "get", "backgroundjobrequests", None, id="get"),
    pytest.param(access.LIST, "list", "backgroundjobrequests", None, id="list"),
    pytest.param(access.CANCEL, "create", "backgroundjobrequests", "cancel", id="cancel"),
    pytest.param(access.READ_LOG, "get", "backgroundjobrequests", "log", id="log"),
    pytest.param(access.READ_RESULT, "get", "backgroundjobrequests", "result", id="result"),
    pytest.param(access.SEE_STACK, "get", "backgroundjobrequests", "stack", id="stack"),
    pytest.param(access.LIST_QUEUES, "list", "backgroundjobqueues", None, id="queues"),
]


@pytest.mark.parametrize(("action", "verb", "resource", "subresource"), ACTIONS)
def test_what_is_asked(action: Action, verb: str, resource: str, subresource: str | None) -> None:
    attributes = {"group": "bgjobs.dev", "resource": resource, "verb": verb, "namespace": "shop"}
    if subresource:
        attributes["subresource"] = subresource
    assert access.review(WEB, action, "shop") == {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": "system:serviceaccount:shop:web",
            "groups": ["system:serviceaccounts", "system:serviceaccounts:shop", "system:authenticated"],
            "resourceAttributes": attributes,
        },
    }


def test_a_question_about_all_namespaces_names_none() -> None:
    assert "namespace" not in access.review(WEB, access.LIST, access.EVERYWHERE)["spec"]["resourceAttributes"]


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        ({"status": {"allowed": True}}, True),
        ({"status": {"allowed": True, "denied": False, "reason": "RBAC"}}, True),
        ({"status": {"allowed": True, "denied": True}}, False),
        ({"status": {"allowed": False}}, False),
        ({"status": {"allowed": False, "evaluationError": "x"}}, False),
        ({"status": {"allowed": "true"}}, False),
        ({"status": {"allowed": 1}}, False),
        ({"status": {}}, False),
        ({"status": None}, False),
        ({}, False),
    ],
    ids=str,
)
def test_only_a_clear_yes_is_one(answer: dict[str, Any], allowed: bool) -> None:
    assert access.allowed_by(answer) is allowed


async def test_it_is_asked_by_post() -> None:
    calls: list[tuple[object, ...]] = []

    class Kube1:
        async def request(self, *arguments: object) -> dict[str, Any]:
            calls.append(arguments)
            return {"status": {"allowed": True}}

    assert await access.ask_kube(cast("Kube", Kube1()), {"kind": "x"})
    assert calls == [("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"kind": "x"})]


@pytest.mark.parametrize(("allows", "seconds"), [(True, 10), (False, 2)])
async def test_an_answer_holds_for_some_seconds(allows: bool, seconds: int) -> None:
    kube = FakeKube()
    kube.allows = allows
    reviewed = ReviewedAccess(kube.ask)
    for at in (0, 1, seconds - 0.01):
        assert await reviewed.allowed(WEB, access.GET, "shop", moment(at)) is allows
    assert len(kube.asked) == 1
    kube.allows = not allows
    assert await reviewed.allowed(WEB, access.GET, "shop", moment(seconds)) is not allows
    assert len(kube.asked) == 2


async def test_answers_are_not_mixed_up() -> None:
    kube = FakeKube()
    reviewed = ReviewedAccess(kube.ask)
    await reviewed.allowed(WEB, access.GET, "shop", moment(0))
    kube.allows = False
    for caller, action, namespace in (
        (service_account("shop", "other"), access.GET, "shop"),
        (service_account("mail", "web"), access.GET, "shop"),
        (WEB, access.LIST, "shop"),
        (WEB, access.READ_LOG, "shop"),
        (WEB, access.GET, "mail"),
        (WEB, access.GET, access.EVERYWHERE),
    ):
        assert not await reviewed.allowed(caller, action, namespace, moment(0))
    assert len(kube.asked) == 7


async def test_the_same_question_is_asked_once_at_a_time() -> None:
    kube = FakeKube()
    kube.gate = asyncio.Event()
    reviewed = ReviewedAccess(kube.ask)
    calls = [asyncio.create_task(reviewed.allowed(WEB, access.GET, "shop", moment(0))) for _ in range(10)]
    await asyncio.sleep(0)
    calls[0].cancel()  # the first one gives up; the others still want to know
    kube.gate.set()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [True] * 9
    assert len(kube.asked) == 1


@pytest.mark.parametrize(
    "failure", [KubeUnreachableError("gone"), KubeRefusedError(403, "Forbidden", "may not ask"),
                KubeRefusedError(500, "InternalError", "x")], ids=["gone", "403", "500"],
)  # fmt: skip
async def test_without_an_answer_it_is_not_allowed_and_nothing_is_remembered(failure: KubeError) -> None:
    kube = FakeKube()
    kube.failure = failure
    reviewed = ReviewedAccess(kube.ask)
    for _ in range(2):
        with pytest.raises(access.AccessUnavailableError):
            await reviewed.allowed(WEB, access.GET, "shop", moment(0))
    assert len(kube.asked) == 2
    kube.failure = None
    assert await reviewed.allowed(WEB, access.GET, "shop", moment(0))


async def test_a_failure_that_nobody_waits_for_is_no_noise() -> None:
    kube = FakeKube()
    kube.failure, kube.gate = KubeUnreachableError("gone"), asyncio.Event()
    call = asyncio.create_task(ReviewedAccess(kube.ask).allowed(WEB, access.GET, "shop", moment(0)))
    await asyncio.sleep(0)
    call.cancel()
    kube.gate.set()
    await asyncio.gather(call, return_exceptions=True)
    await asyncio.sleep(0)


async def test_an_old_yes_does_not_outlive_kubernetes() -> None:
    kube = FakeKube()
    reviewed = ReviewedAccess(kube.ask)
    assert await reviewed.allowed(WEB, access.GET, "shop", moment(0))
    kube.failure = KubeUnreachableError("gone")
    assert await reviewed.allowed(WEB, access.GET, "shop", moment(9))
    with pytest.raises(access.AccessUnavailableError):
        await reviewed.allowed(WEB, access.GET, "shop", moment(10))


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "MAX_CACHED", 3)
    kube = FakeKube()
    reviewed = ReviewedAccess(kube.ask)
    for number in range(10):
        await reviewed.allowed(WEB, access.GET, f"ns-{number}", moment(0))
    assert len(reviewed._decided) == 3  # pyright: ignore[reportPrivateUsage]
    await reviewed.allowed(WEB, access.GET, "ns-9", moment(1))
    assert len(kube.asked) == 10


async def test_one_caller_asks_no_more_than_some_at_once_and_nobody_waits_for_it() -> None:
    kube = FakeKube()
    kube.gate = asyncio.Event()
    reviewed = ReviewedAccess(kube.ask)
    calls = [asyncio.create_task(reviewed.allowed(WEB, access.GET, f"ns-{n}", moment(0))) for n in range(4200)]
    other = asyncio.create_task(reviewed.allowed(service_account("mail", "web"), access.GET, "mail", moment(0)))
    await until(lambda: len(kube.asked) > access.MOST_AT_ONCE)
    assert len(kube.asked) == access.MOST_AT_ONCE + 1
    kube.gate.set()
    assert await other
    assert all(await asyncio.gather(*calls))
    assert len(reviewed._turns) == 0  # pyright: ignore[reportPrivateUsage]


async def test_if_kubernetes_is_away_the_answer_is_503(world: World) -> None:
    job_id = await world.enqueued()
    world.access.away = True
    for response in (
        await world.enqueue(),
        await world.get(f"/api/v1/jobs/{job_id}"),
        await world.get("/api/v1/jobs"),
        await world.get("/api/v1/jobs", namespace="shop"),
        await world.get("/api/v1/queues"),
        await world.call("POST", f"/api/v1/jobs/{job_id}/cancel"),
    ):
        assert (response.status_code, response.json()["code"]) == (503, "access_unavailable")
        assert response.headers["Retry-After"] == "2"
    assert (await world.there(job_id)).state == "queued"


async def test_the_words_of_a_refusal(world: World) -> None:
    job_id = await world.enqueued()
    world.access.deny("create", "backgroundjobrequests/cancel", "shop")
    response = await world.call("POST", f"/api/v1/jobs/{job_id}/cancel")
    assert response.json() == {
        "title": "Forbidden",
        "status": 403,
        "detail": "system:serviceaccount:shop:web cannot create backgroundjobrequests/cancel of bgjobs.dev in "
        "namespace 'shop'; check it with `kubectl auth can-i create "
        "backgroundjobrequests.bgjobs.dev --subresource=cancel --namespace shop --as system:serviceaccount:shop:web`",
        "code": "forbidden",
        "errors": [],
        "user": "system:serviceaccount:shop:web",
        "verb": "create",
        "resource": "backgroundjobrequests/cancel",
        "namespace": "shop",
        "remedy": "kubectl create rolebinding bgjobs-submitter:shop:web --clusterrole bgjobs-submitter "
        "--serviceaccount shop:web --namespace shop",
    }
