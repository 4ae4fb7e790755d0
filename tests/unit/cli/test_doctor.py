"""Each check of the doctor: from facts to findings."""

from __future__ import annotations

from typing import Any

import pytest

from bgjobs.cli import doctor
from bgjobs.cli.doctor import Answer, Facts, Level
from bgjobs.wire import QueueView
from tests.unit.cli.fakes import queue

OK, WARN, FAIL = Level.OK, Level.WARN, Level.FAIL
LISTED = Answer(200, {"items": []})


def view(**changes: Any) -> QueueView:
    return QueueView.model_validate(queue(**changes))


def queues(*views: QueueView) -> Facts:
    return Facts(queue_listing=LISTED, queues=views, namespace="shop")


@pytest.mark.parametrize(
    ("check", "facts", "found"),
    [
        (doctor.check_server, Facts(server="http://a (by --url)"), [(OK, "server: http://a (by --url)", "")]),
        (doctor.check_server, Facts(no_server="no server: do this"), [(FAIL, "server: none", "no server: do this")]),
        (doctor.check_health, Facts(), []),
        (doctor.check_health, Facts(health=Answer(200)), [(OK, "it answers", "")]),
        (doctor.check_health, Facts(health=Answer(None, problem="refused")), [(FAIL, "refused", "is the URL right")]),
        (doctor.check_health, Facts(health=Answer(502)), [(FAIL, "/healthz answers 502", "a proxy")]),
        (doctor.check_ready, Facts(), []),
        (doctor.check_ready, Facts(ready=Answer(200, {"problems": {}, "warnings": []})), [(OK, "it is ready", "")]),
        (
            doctor.check_ready,
            Facts(ready=Answer(200, {"warnings": ["Redis has appendonly off"]})),
            [(OK, "it is ready", ""), (WARN, "Redis has appendonly off", "Redis' settings")],
        ),
        (
            doctor.check_ready,
            Facts(ready=Answer(503, {"problems": {"redis": "no answer"}, "warnings": []})),
            [(FAIL, "it is not ready: redis: no answer", "pods of Redis and the API")],
        ),
        (doctor.check_ready, Facts(ready=Answer(404, "not here")), [(FAIL, "it is not ready: not here", "")]),
        (doctor.check_clock, Facts(), []),
        (doctor.check_clock, Facts(skew_seconds=-30), [(OK, "the clocks agree", "")]),
        (doctor.check_clock, Facts(skew_seconds=31), [(WARN, "31 s ahead of", "NTP")]),
        (doctor.check_clock, Facts(skew_seconds=-95), [(WARN, "95 s behind", "NTP")]),
        (doctor.check_token, Facts(), []),
        (doctor.check_token, Facts(listing=LISTED, namespace="shop"), [(OK, "may list jobs in shop", "")]),
        (
            doctor.check_token,
            Facts(listing=Answer(401, {"detail": "it has expired"})),
            [(FAIL, "the token is not accepted: it has expired", "audience bgjobs")],
        ),
        (
            doctor.check_token,
            Facts(listing=Answer(403, {"detail": "ann cannot list"}), namespace="shop"),
            [(FAIL, "listing jobs in shop is not allowed (verb list)", "ann cannot list")],
        ),
        (doctor.check_token, Facts(listing=Answer(503, {"detail": "no Redis"})), [(FAIL, "no Redis", "lines above")]),
        (doctor.check_token, Facts(no_token="no ServiceAccount"), [(FAIL, "no token", "no ServiceAccount")]),
        (doctor.check_create, Facts(), []),
        (
            doctor.check_create,
            Facts(creating=Answer(422, {"code": "queue_not_found", "detail": "no queue"})),
            [(OK, "the caller may ask for jobs", "")],
        ),
        (
            doctor.check_create,
            Facts(creating=Answer(403, {"detail": "ann cannot create"}), namespace="shop"),
            [(FAIL, "asking for jobs in shop is not allowed (verb create)", "ann cannot create")],
        ),
        (
            doctor.check_create,
            Facts(creating=Answer(422, {"code": "invalid", "detail": "namespace"})),
            [(WARN, "is unknown: namespace", "bgjobs run")],
        ),
        (doctor.check_queues, Facts(), []),
        (doctor.check_queues, queues(), [(FAIL, "namespace shop has no queue", "jobNamespaces")]),
        (doctor.check_queues, queues(view()), [(OK, "queue shop/default runs shop.jobs.*", "")]),
        (
            doctor.check_queues,
            queues(QueueView(namespace="shop", name="old", paused=False, max_concurrent=1, owned=0, queued=0)),
            [(OK, "queue shop/old runs jobs", "")],
        ),
        (
            doctor.check_queues,
            queues(view(paused=True), view(name="b", approved_classes=[]), view(name="c", image=None)),
            [
                (WARN, "queue shop/default is paused", "kubectl edit backgroundjobqueue default -n shop"),
                (WARN, "queue shop/b approves no class", "approvedClasses"),
                (WARN, "queue shop/c has no image of its own", "spec.image"),
            ],
        ),
        (
            doctor.check_queues,
            Facts(queue_listing=Answer(403, {"detail": "ann cannot list queues"})),
            [(FAIL, "queues cannot be listed (verb list)", "ann cannot list queues")],
        ),
        (doctor.check_progress, queues(view(owned=1, queued=5), view(owned=0, queued=0)), []),
        (doctor.check_progress, queues(view(owned=0, queued=5, paused=True)), []),
        (
            doctor.check_progress,
            queues(view(owned=0, queued=5)),
            [(WARN, "queue shop/default: 5 wait and nothing runs", "does the operator run?")],
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


def test_all_checks_are_made() -> None:
    named = {name for name in dir(doctor) if name.startswith("check_")}

    assert {check.__name__ for check in doctor.CHECKS} == named
    assert doctor.findings(Facts(server="x", health=Answer(200), skew_seconds=0)) == [
        (OK, "server: x", ""),
        (OK, "it answers", ""),
        (OK, "the clocks agree", ""),
    ]
