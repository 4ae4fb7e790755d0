"""Each check of the doctor: from facts to findings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bgjobs.cli.doctor import checks
from bgjobs.cli.doctor.checks import Answer, Facts, Level
from bgjobs.cli.doctor.pods import Pods, Trouble
from bgjobs.cli.exits import NoServerError, NoTokenError
from bgjobs.errors import ForbiddenError
from bgjobs.wire import QueueView
from bgjobs_api.http import problems
from bgjobs_api.identity import access
from bgjobs_api.identity.access_refusal import AccessRefusal
from bgjobs_api.identity.caller import Identity
from bgjobs_core.health.findings import FindingCode
from tests.unit.cli.fakes import queue

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL
LISTED = Answer(200, {"items": []})
NO_SUCH_QUEUE = Answer(422, {"code": "queue_not_found", "detail": "no queue"})
WEB = Identity("system:serviceaccount:shop:web", (), "shop")
ADA = Identity("oidc:Ada L", (), "")


def view(**changes: Any) -> QueueView:
    return QueueView.model_validate(queue(**changes))


def queues(*views: QueueView) -> Facts:
    return Facts(queue_listing=LISTED, queues=views, namespace="shop")


def ready(*warnings: Any, version: str = "1.2.3", own: str = "1.2.3", **more: Any) -> Facts:
    return Facts(
        ready=Answer(200, {"version": version, "problems": {}, "warnings": list(warnings)}), version=own, **more
    )


def warning(code: str, age: int = 0) -> dict[str, Any]:
    return {"code": code, "detail": f"of {code}", "remedy": f"mend {code}", "age_seconds": age}


def forbidden(caller: Identity, action: access.Action, *, anywhere: bool = False) -> Answer:
    """As the API answers it."""
    refusal = AccessRefusal(caller, action, ("shop",), "bgjobs", anywhere=anywhere)
    return Answer(403, json.loads(bytes(problems.response(problems.forbidden(refusal)).body)))


def rights(caller: Identity, *actions: access.Action) -> Facts:
    """What the caller is told who may not do these."""
    asked = (access.LIST, access.ENQUEUE, access.LIST_QUEUES)
    answers = [forbidden(caller, one) if one in actions else LISTED for one in asked]
    creating = answers[1] if access.ENQUEUE in actions else NO_SUCH_QUEUE
    return Facts(listing=answers[0], creating=creating, queue_listing=answers[2], namespace="shop")


BIND = "kubectl create rolebinding"
SUBMITTER = (
    f"{BIND} bgjobs-submitter:shop:web --clusterrole bgjobs-submitter --serviceaccount shop:web --namespace shop"
)
VIEWER = f"{BIND} 'bgjobs-viewer:oidc:Ada L' --clusterrole bgjobs-viewer --user 'oidc:Ada L' --namespace shop"
NO_TOKEN = ForbiddenError(
    'kubectl create: error: failed to create token: serviceaccounts "bgjobs-cli" is forbidden', 403, user="ann",
    namespace="shop", remedy="kubectl create role",
)  # fmt: skip
PATCH = "kubectl patch backgroundjobqueue"


def launched(*jobs: tuple[str, str, str | None, str]) -> Facts:
    """Id, phase, reason and queue of each."""
    items = [
        {"id": name, "namespace": "shop", "queue": queue, "phase": phase, "reason": reason}
        for name, phase, reason, queue in jobs
    ]
    return Facts(listing=Answer(200, {"items": items}))


@pytest.mark.parametrize(
    ("check", "facts", "found"),
    [
        (checks.check_server, Facts(server="http://a (by --url)"), [(OK, "server: http://a (by --url)", "")]),
        (
            checks.check_server,
            Facts(no_server=NoServerError("no server: do this")),
            [(FAIL, "server: none", "no server: do this")],
        ),
        (
            checks.check_server,
            Facts(no_server=ForbiddenError("ann cannot list services", 403, remedy="kubectl create rolebinding")),
            [(FAIL, "server: none: ann cannot list services", "kubectl create rolebinding")],
        ),
        (checks.check_pods, Facts(), []),
        (checks.check_pods, Facts(pods=Pods({"redis": 1, "api": 2}, ())), [(OK, "are ready: api 2, redis 1", "")]),
        (
            checks.check_pods,
            Facts(pods=Pods({}, (Trouble(True, "down", "kubectl a"), Trouble(False, "one of two", "kubectl b")))),
            [(FAIL, "down", "kubectl a"), (WARN, "one of two", "kubectl b")],
        ),
        (checks.check_health, Facts(), []),
        (checks.check_health, Facts(health=Answer(200)), [(OK, "it answers", "")]),
        (
            checks.check_health,
            Facts(health=Answer(None, problem="refused")),
            [(FAIL, "refused", "that the URL is right")],
        ),
        (checks.check_health, Facts(health=Answer(502)), [(FAIL, "/healthz answers 502", "a proxy")]),
        (checks.check_version, Facts(), []),
        (checks.check_version, Facts(ready=Answer(404, "not here"), version="1.2.3"), []),
        (checks.check_version, ready(own=""), []),
        (checks.check_version, ready(), [(OK, "it is version 1.2.3, as this command", "")]),
        (checks.check_version, ready(version="1.2.9"), [(OK, "1.2.9, which fits 1.2.3 of this command", "")]),
        (
            checks.check_version,
            ready(version="1.10.0"),
            [(WARN, "1.10.0, newer", "install the command of version 1.10.0")],
        ),
        (checks.check_version, ready(version="1.1.9"), [(WARN, "1.1.9, older", "ask an administrator to upgrade")]),
        (checks.check_version, ready(version=""), [(WARN, "unknown, older", "ask an administrator to upgrade")]),
        (checks.check_ready, Facts(), []),
        (checks.check_ready, ready(), [(OK, "it is ready", "")]),
        (
            checks.check_ready,
            ready(warning("redis_evicts"), warning("redis_clock", 14), warning("of_tomorrow", 15)),
            [
                (OK, "it is ready", ""),
                (FAIL, "of redis_evicts", "mend redis_evicts"),
                (WARN, "of redis_clock", "mend redis_clock"),
                (WARN, "of of_tomorrow (seen 15 s ago)", "mend of_tomorrow"),
            ],
        ),
        (
            checks.check_ready,
            ready("Redis has appendonly off"),
            [(OK, "it is ready", ""), (WARN, "Redis has appendonly off", "Redis' settings")],
        ),
        (
            checks.check_ready,
            Facts(ready=Answer(503, {"problems": {"redis": "no answer"}, "warnings": [warning("operator_waits")]})),
            [
                (FAIL, "it is not ready: redis: no answer", "pods of Redis and the API"),
                (FAIL, "of operator_waits", "mend operator_waits"),
            ],
        ),
        (checks.check_ready, Facts(ready=Answer(404, "not here")), [(FAIL, "it is not ready: not here", "")]),
        (checks.check_clock, Facts(), []),
        (checks.check_clock, Facts(skew_seconds=-30), [(OK, "the clocks agree", "")]),
        (
            checks.check_clock,
            Facts(skew_seconds=31),
            [(WARN, "the server's clock is 31 s ahead of this", "NTP on which")],
        ),
        (
            checks.check_clock,
            Facts(skew_seconds=-95),
            [(WARN, "95 s behind this machine's", "timedatectl set-ntp true")],
        ),
        (checks.check_clock, ready(skew_seconds=-95), [(WARN, "this machine's clock is 95 s ahead of", "NTP here")]),
        (checks.check_clock, ready(skew_seconds=95), [(WARN, "this machine's clock is 95 s behind the", "NTP here")]),
        (
            checks.check_clock,
            ready(warning("kubernetes_clock"), skew_seconds=95),
            [(WARN, "the server's clock is 95 s ahead of", "NTP on whichever")],
        ),
        (checks.check_token, Facts(), []),
        (checks.check_token, Facts(listing=LISTED), []),
        (
            checks.check_token,
            Facts(listing=Answer(401, {"detail": "it has expired"})),
            [(FAIL, "the token is not accepted: it has expired", "audience bgjobs")],
        ),
        (
            checks.check_token,
            Facts(no_token=NoTokenError("no ServiceAccount")),
            [(FAIL, "no token", "no ServiceAccount")],
        ),
        (
            checks.check_token,
            Facts(no_token=NO_TOKEN),
            [(FAIL, "ann may not get a token of bgjobs-cli in shop", "kubectl create role")],
        ),
        (checks.check_rights, Facts(), []),
        (
            checks.check_rights,
            rights(WEB),
            [(OK, "the caller is known, and may list jobs and ask for them in shop", "")],
        ),
        (
            checks.check_rights,
            rights(WEB, access.LIST, access.ENQUEUE, access.LIST_QUEUES),
            [(FAIL, f"{WEB.user} may not list jobs, ask for jobs, list queues in shop", SUBMITTER)],
        ),
        (checks.check_rights, rights(WEB, access.ENQUEUE), [(FAIL, f"{WEB.user} may not ask for jobs in", SUBMITTER)]),
        (checks.check_rights, rights(ADA, access.LIST), [(FAIL, "oidc:Ada L may not list jobs in shop", VIEWER)]),
        (
            checks.check_rights,
            Facts(listing=forbidden(ADA, access.LIST, anywhere=True), creating=NO_SUCH_QUEUE),
            [(FAIL, "oidc:Ada L may not list jobs", VIEWER)],
        ),
        (
            checks.check_rights,
            Facts(listing=Answer(403, {"detail": "ann cannot list; ask for `kubectl create`", "code": "forbidden"})),
            [(FAIL, "the caller may not list jobs", "ann cannot list; ask for `kubectl create`")],
        ),
        (checks.check_rights, Facts(listing=Answer(403, "nginx")), [(FAIL, "the caller may not list jobs", "nginx")]),
        (checks.check_rights, Facts(listing=Answer(401, "x"), creating=None), []),
        (
            checks.check_rights,
            Facts(listing=Answer(503, {"detail": "no Redis"}), creating=NO_SUCH_QUEUE),
            [(FAIL, "cannot be listed: no Redis", "lines above")],
        ),
        (
            checks.check_rights,
            Facts(
                listing=LISTED, queue_listing=LISTED, creating=Answer(422, {"code": "invalid", "detail": "namespace"})
            ),
            [(WARN, "is unknown: namespace", "bgjobs run")],
        ),
        (checks.check_queues, Facts(), []),
        (checks.check_queues, Facts(queue_listing=Answer(403, {"detail": "no"})), []),
        (checks.check_queues, queues(), [(FAIL, "namespace shop has no queue", "jobNamespaces")]),
        (checks.check_queues, queues(view()), [(OK, "queue shop/default runs shop.jobs.*", "")]),
        (
            checks.check_queues,
            queues(QueueView(namespace="shop", name="old", paused=False, max_concurrent=1, owned=0, queued=0)),
            [(OK, "queue shop/old runs jobs", "")],
        ),
        (
            checks.check_queues,
            queues(view(paused=True), view(name="b", approved_classes=[]), view(name="c", image=None)),
            [
                (
                    WARN,
                    "queue shop/default is paused",
                    f"""{PATCH} default -n shop --type=merge -p '{{"spec":{{"paused":""",
                ),
                (WARN, "queue shop/b approves no class", f"{PATCH} b -n shop"),
                (
                    WARN,
                    "queue shop/c has no image",
                    f"""{PATCH} c -n shop --type=merge -p '{{"spec":{{"image":"shop:1"}}}}'""",
                ),
            ],
        ),
        (
            checks.check_queues,
            queues(view(name="c", image=None), view(namespace="mail", image="mail:1")),
            [(WARN, "queue shop/c has no image", '"image":"IMAGE:TAG"'), (OK, "queue mail/default runs", "")],
        ),
        (
            checks.check_queues,
            queues(view(), view(name="new", image=None, approved_classes=[])),
            [
                (OK, "queue shop/default runs", ""),
                (
                    WARN,
                    "queue shop/new has no image and approves no class",
                    f"""{PATCH} new -n shop --type=merge -p """
                    """'{"spec":{"image":"shop:1","approvedClasses":["shop.jobs.*"]}}'""",
                ),
            ],
        ),
        (
            checks.check_queues,
            queues(view(name="new", image=None, approved_classes=[])),
            [(WARN, "shop/new has no image and", '"image":"IMAGE:TAG","approvedClasses":["PACKAGE.*"]')],
        ),
        (checks.check_progress, queues(view(owned=1, queued=5), view(owned=0, queued=0)), []),
        (checks.check_progress, queues(view(owned=0, queued=5, paused=True)), []),
        (
            checks.check_progress,
            queues(view(owned=0, queued=5)),
            [(WARN, "queue shop/default: 5 wait and nothing runs", "the operator's log")],
        ),
        (checks.check_progress, ready(warning("operator_silent"), queues=(view(owned=0, queued=5),)), []),
        (checks.check_starts, Facts(), []),
        (checks.check_starts, launched(("1", "running", "", "a"), ("2", "pending", None, "a")), []),
        (
            checks.check_starts,
            launched(
                ("1", "pending", "ErrImagePull: no such image", "a"),
                ("2", "pending", "ErrImagePull: no such image", "a"),
                ("3", "pending", "Unschedulable: " + "no memory " * 99, "b"),
                ("4", "retrying", "error", "b"),
            ),
            [
                (
                    WARN,
                    "queue shop/a: 2 jobs cannot start: ErrImagePull: no such image",
                    "kubectl describe pods -n shop -l bgjobs.dev/job-id=1",
                ),
                (WARN, "queue shop/b: a job cannot start: Unschedulable: no memory", "job-id=3"),
            ],
        ),
    ],
)
def test_a_check(check: Any, facts: Facts, found: list[tuple[Level, str, str]]) -> None:
    said = list(check(facts))

    assert [finding.level for finding in said] == [level for level, _, _ in found]
    for finding, (_, what, remedy) in zip(said, found, strict=True):
        assert what in finding.what
        assert remedy in finding.remedy
        assert bool(finding.remedy) == (finding.level != OK)


def test_every_fatal_code_is_one_of_the_servers() -> None:
    assert set(FindingCode) >= checks.FATAL


def test_all_checks_are_made() -> None:
    named = {name for name in dir(checks) if name.startswith("check_")}

    assert {check.__name__ for check in checks.CHECKS} == named
    assert checks.findings(Facts(server="x", health=Answer(200), skew_seconds=0)) == [
        (OK, "server: x", "", ""),
        (OK, "it answers", "", ""),
        (OK, "the clocks agree", "", ""),
    ]
