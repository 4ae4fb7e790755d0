"""One job: every state of it, its log, and what can be done with it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from bgjobs.ids import new_job_id
from bgjobs.vocabulary import Outcome, Phase, State
from bgjobs_api.pages.job.timeline import segments
from bgjobs_api.pages.shared.rendering import CSP
from bgjobs_core.health.findings import Finding, FindingCode
from bgjobs_core.redis.errors import StoreFullError
from tests.api.pages.site import Document
from tests.api.world import EPOCH, KUBE_UID, chunk, lines

if TYPE_CHECKING:
    from tests.api.pages.site import Site

# State, phase, and what the page says; `stopping` reads as what people know it by.
STATES = [
    (State.BLOCKED, "", "Blocked", "Not running: waits for other jobs"),
    (State.SCHEDULED, "", "Scheduled", "Not running: due"),
    (State.QUEUED, "", "Queued", "Not running: waits for the operator"),
    (State.PAUSED, "", "Paused", "Not running: paused"),
    (State.LAUNCHING, "", "Launching", "Starting: its KubeJob is being created"),
    (State.LAUNCHED, "", "Pending", "Starting: its pod is pending"),
    *((State.LAUNCHED, phase, phase.capitalize(), "") for phase in Phase),
    (State.STOPPING, "", "Cancelling", "Being cancelled by"),
    (State.SUCCEEDED, "", "Succeeded", ""),
    (State.FAILED, "", "Failed", ""),
    (State.CANCELLED, "", "Cancelled", ""),
]


@pytest.mark.parametrize(("state", "phase", "word", "title"), STATES, ids=[f"{s}-{p}" for s, p, _, _ in STATES])
async def test_every_state_is_shown(site: Site, state: State, phase: str, word: str, title: str) -> None:
    """With each field that a record in it has, and with as few as it can have."""
    job_id = await site.world.enqueued()
    ended = state in {State.SUCCEEDED, State.FAILED, State.CANCELLED}
    record = await site.world.there(job_id)
    await site.set(
        job_id, state=state, phase=phase, **({"finished_at": str(record.created_at + 5000)} if ended else {})
    )
    page = await site.page(f"/jobs/{job_id}")
    (pill,) = [found for found in page.all("span") if found.get("class") == "state pill"]
    assert pill["data-state"]
    assert f"shop.jobs. Report.build {word}" in page.text
    assert title in page.text
    assert f"{word} " in (await site.page("/jobs")).text
    assert bool(page.all("main", hx_trigger="every 2s")) is not ended
    assert bool([one for one in page.links if one.endswith("/cancel")]) is (not ended and state != State.STOPPING)
    assert bool(page.all("form", action=f"/jobs/{job_id}/rerun")) is ended


async def test_where_the_next_attempt_goes_on_is_shown_to_who_may_read_results(site: Site) -> None:
    pod = await site.world.running()
    assert "Checkpoint" not in (await site.page(f"/jobs/{pod.job_id}")).text
    await pod.call("beat", attempt=1, checkpoint={"row": 41000, "<b>": "</pre>"})

    page = await site.page(f"/jobs/{pod.job_id}")
    assert '"row": 41000' in page.text
    assert "</pre>" in page.text, "it is text of job code, and escaped"

    site.world.access.deny("get", "backgroundjobrequests/result", "shop")
    page = await site.page(f"/jobs/{pod.job_id}")
    assert "Cannot be shown: needs get on backgroundjobrequests/result in shop." in page.text
    assert "41000" not in page.text


async def test_a_job_from_the_queue_to_its_result(site: Site) -> None:
    pod = await site.world.running(parameters={"day": "monday"}, priority=1)
    await pod.call("beat", attempt=1, chunk=chunk(0, lines("hello", "\x1b[31mred\x1b[0m", stream="o")))
    await pod.call("beat", attempt=1, progress={"done": 3, "total": 4, "message": "pages"})
    page = await site.page(f"/jobs/{pod.job_id}")
    assert "Running for" in page.text
    assert "3 of 4 pages" in page.text
    assert '"day": "monday"' in page.text
    assert "priority high" in page.text
    assert "by shop/web" in page.text
    assert pod.name in page.text
    assert "2 lines" in page.text
    assert "red" in page.text
    assert "[31m" not in page.text
    await pod.call("finish", attempt=1, outcome="succeeded", has_result=True, result={"pages": 7}, exit_code=0)
    page = await site.page(f"/jobs/{pod.job_id}")
    assert "Succeeded after" in page.text
    assert '"pages": 7' in page.text
    assert "Attempt 1: succeeded, exit code 0" in page.text
    assert not page.all("main", hx_trigger="every 2s")


async def test_labels_are_shown_where_there_are_some(site: Site) -> None:
    job_id = await site.world.enqueued(labels={"team": "billing", "example.com/run": "june"})
    assert "Labels team=billing, example.com/run=june" in (await site.page(f"/jobs/{job_id}")).text
    assert "Labels" not in (await site.page(f"/jobs/{await site.world.enqueued()}")).text


async def test_attempts_have_their_own_error_and_log(site: Site) -> None:
    pod = await site.world.running()
    await pod.call("beat", attempt=1, chunk=chunk(0, lines("of the first")))
    trace = (
        'Traceback (most recent call last):\n  File "/x/site-packages/lib.py", line 1, in run\n    call()\n'
        '  File "/app/shop/jobs.py", line 7, in build\n    raise ValueError(day)\nValueError: no such day\n'
    )
    error = {"type": "ValueError", "message": "no such day", "traceback": trace}
    await pod.call("finish", attempt=1, outcome="error", error=error, exit_code=1)
    page = await site.page(f"/jobs/{pod.job_id}")
    assert "Retrying for" in page.text
    assert "Waits for its next attempt" in page.text
    assert "ValueError: no such day" in page.text
    assert [found["class"] for found in page.all("li") if found.get("class") in {"lib", "mine", "exc"}] == [
        "lib", "lib", "mine", "mine", "exc",
    ]  # fmt: skip
    second = site.world.pod(pod.job_id, "second")
    await second.call("start")
    await second.call("beat", attempt=2, chunk=chunk(0, lines("of the second")))
    latest, first = await site.page(f"/jobs/{pod.job_id}"), await site.page(f"/jobs/{pod.job_id}?attempt=1")
    assert "of the second" in latest.text
    assert "of the first" not in latest.text
    assert "no such day" not in latest.text
    assert "of the first" in first.text
    assert "Attempt 1 of at most 4, outcome error, exit code 1" in first.text
    assert [found["href"] for found in first.all("a", aria_current="true")] == ["?attempt=1"]
    response = await site.get(f"/jobs/{pod.job_id}?attempt=3")
    assert response.status_code == 404
    assert "no attempt 3" in response.text
    assert (await site.get(f"/jobs/{pod.job_id}?attempt=0")).status_code == 422


@pytest.mark.parametrize(("max_retries", "label", "word"), [(0, "ending", "Ending"), (1, "back-off", "Retrying")])
async def test_no_retry_is_said_to_follow_the_last_attempt(site: Site, max_retries: int, label: str, word: str) -> None:
    pod = await site.world.running(max_retries=max_retries)
    await pod.call("finish", attempt=1, outcome="error", error={"type": "ValueError", "message": "no"}, exit_code=1)
    (attempt,) = await site.world.store.attempts(await site.world.there(pod.job_id))
    assert attempt.ended_at is not None
    shown = segments(await site.world.there(pod.job_id), [attempt], attempt.ended_at + 5000)

    page = await site.page(f"/jobs/{pod.job_id}")

    assert shown[-1].label == label
    assert [one for one in ("Ending", "Retrying") if one in page.text] == [word]


async def test_a_job_that_failed_without_a_word_says_its_outcome(site: Site) -> None:
    job_id = await site.world.launched()
    await site.world.store.observe_end(
        job_id=job_id,
        kube_uid=KUBE_UID,
        what="failed",
        outcome=Outcome.NEVER_STARTED,
        reason="ImagePullBackOff: not found",
    )
    page = await site.page(f"/jobs/{job_id}")
    assert "never_started: " in page.text
    assert "ImagePullBackOff: not found" in page.text
    assert "No attempt has started" in page.text
    assert "Failed never_started: ImagePullBackOff: not found" in (await site.page("/jobs")).text


async def test_a_pending_job_says_what_kubernetes_says(site: Site) -> None:
    job_id = await site.world.launched()
    await site.world.store.observe_phase(
        job_id=job_id, kube_uid=KUBE_UID, phase=Phase.PENDING, reason='ImagePullBackOff: no "x:1"'
    )
    page = await site.page(f"/jobs/{job_id}")
    assert "Not running: ImagePullBackOff" in page.text
    assert "Pod can start, here it waits" in page.text
    assert 'ImagePullBackOff: no "x:1"' in page.text
    assert len([found for found in page.all("li") if found.get("class") == "shut"]) == 1


async def test_what_mends_it_stands_on_the_page(site: Site) -> None:
    job_id = await site.world.enqueued()
    await site.world.put_queue(paused=True)
    page = await site.page(f"/jobs/{job_id}")
    line = "bgjobs queue resume default -n shop"
    assert line in page.text
    assert page.all("button", data_copy=line)


async def test_nobody_leads(site: Site) -> None:
    job_id = await site.world.enqueued()
    assert "An operator leads" not in (await site.page(f"/jobs/{job_id}")).text
    site.world.findings.append(Finding(FindingCode.OPERATOR_SILENT, "no operator has reported", "kubectl get pods"))
    page = await site.page(f"/jobs/{job_id}")
    assert "Not running: no operator leads" in page.text
    assert "An operator leads, here it waits" in page.text
    assert "no operator leads" in (await site.page("/jobs")).text


async def test_a_pending_job_says_when_it_is_given_up(site: Site) -> None:
    job_id = await site.world.launched()
    assert re.search(r"It is given up at \d{4}-\d\d-\d\d \S+ UTC if nothing", (await site.page(f"/jobs/{job_id}")).text)


async def test_a_next_attempt_that_cannot_start_says_why(site: Site) -> None:
    pod = await site.world.running()
    await site.world.store.observe_attempt(
        job_id=pod.job_id, kube_uid=KUBE_UID, pod_uid=pod.uid, outcome=Outcome.ERROR, exit_code=1, failure=""
    )
    assert "Waits for its next attempt" in (await site.page(f"/jobs/{pod.job_id}")).text
    await site.world.store.observe_phase(
        job_id=pod.job_id, kube_uid=KUBE_UID, phase=Phase.RETRYING, reason="Unschedulable: no memory"
    )
    page = await site.page(f"/jobs/{pod.job_id}")
    assert "Not running: Unschedulable" in page.text
    assert "Attempt 1 has ended" in page.text
    assert "Unschedulable: no memory" in (await site.page("/jobs")).text


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"paused": True}, "the queue default is paused"),
        ({"max_concurrent": 0}, "the queue default is full"),
        ({}, "waits for the operator"),
    ],
)
async def test_a_queued_job_says_what_holds_it(site: Site, spec: dict[str, Any], words: str) -> None:
    job_id = await site.world.enqueued()
    await site.world.put_queue(**spec)
    assert f"Not running: {words}" in (await site.page(f"/jobs/{job_id}")).text
    await site.world.store.drop_queue(queue="shop/default")
    assert "Not running: there is no queue default" in (await site.page(f"/jobs/{job_id}")).text
    site.world.access.deny("list", "backgroundjobqueues", "shop")
    assert "you may not list queues here" in (await site.page(f"/jobs/{job_id}")).text


async def test_a_refused_launch_says_so(site: Site) -> None:
    job_id = await site.world.enqueued()
    await site.world.store.lead(EPOCH)
    await site.world.store.claim(epoch=EPOCH, queue="shop/default", limit=1)
    await site.world.store.decline(
        epoch=EPOCH, job_id=job_id, target=State.SCHEDULED, back_off_ms=60_000, reason="exceeded quota: cpu"
    )
    page = await site.page(f"/jobs/{job_id}")
    assert "Kubernetes refused its KubeJob" in page.text
    assert "exceeded quota: cpu" in page.text
    assert "exceeded quota: cpu" in (await site.page("/jobs")).text


async def test_a_long_log_shows_its_end_and_links_to_the_whole(site: Site) -> None:
    pod = await site.world.running()
    await pod.call("beat", attempt=1, chunk=chunk(0, lines(*(f"line {number}" for number in range(1, 2102)))))
    page = await site.page(f"/jobs/{pod.job_id}")
    assert "101 earlier lines left out here." in page.text
    assert "2,101 lines" in page.text
    assert [bool(page.all("div", id=f"L{number}")) for number in (101, 102, 2101)] == [False, True, True]
    assert f"/jobs/{pod.job_id}/attempts/1/log" in page.links
    assert (await site.get(f"/jobs/{pod.job_id}/attempts/1/log")).text.count("\n") == 2101
    assert await site.world.store.is_watched(pod.job_id)


async def test_a_fragment_is_the_live_part_of_the_page(site: Site) -> None:
    pod = await site.world.running()
    fragment = await site.fragment(f"/jobs/{pod.job_id}?attempt=1")
    assert fragment.text.lstrip().startswith('<main class="page wide" id="main" hx-get=')
    assert Document(fragment.text).all("main", hx_get=f"/jobs/{pod.job_id}?attempt=1")
    assert "<html" not in fragment.text
    assert fragment.headers["Content-Security-Policy"] == CSP
    await pod.call("finish", attempt=1, outcome="succeeded", exit_code=0)
    assert "hx-get" not in (await site.fragment(f"/jobs/{pod.job_id}")).text


# ------------------------------------------------------------------------------ cancel
async def test_cancelling_asks_first_and_goes_back(site: Site) -> None:
    job_id = await site.world.enqueued()
    page = await site.page(f"/jobs/{job_id}/cancel")
    assert "Cancel this job?" in page.text
    assert page.all("form", method="post", action=f"/jobs/{job_id}/cancel")
    response = await site.post(f"/jobs/{job_id}/cancel", note="no longer wanted")
    assert (response.status_code, response.headers["Location"]) == (303, f"/jobs/{job_id}")
    record = await site.world.there(job_id)
    assert (record.state, record.note, record.stopped_by) == (
        State.CANCELLED, "no longer wanted", "system:serviceaccount:shop:web",
    )  # fmt: skip
    assert "Cancelled by shop/web: no longer wanted" in (await site.page("/jobs")).text
    assert (await site.get(f"/jobs/{job_id}/cancel")).headers["Location"] == f"/jobs/{job_id}"


async def test_a_running_job_is_cancelling_until_it_is_gone(site: Site) -> None:
    pod = await site.world.running()
    assert (await site.post(f"/jobs/{pod.job_id}/cancel")).status_code == 303
    page = await site.page(f"/jobs/{pod.job_id}")
    assert "Cancelling for" in page.text
    assert page.all("button", aria_disabled="true", title="It is being stopped already")


async def test_what_has_ended_cannot_be_cancelled(site: Site) -> None:
    pod = await site.world.running()
    await pod.call("finish", attempt=1, outcome="succeeded", exit_code=0)
    response = await site.post(f"/jobs/{pod.job_id}/cancel")
    assert response.status_code == 409
    assert "it had ended already, as succeeded" in response.text
    assert "Succeeded after" in Document(response.text).text


async def test_a_form_is_checked(site: Site) -> None:
    job_id = await site.world.enqueued()
    for response in (
        await site.post(f"/jobs/{job_id}/cancel", note="x" * 501),
        await site.post(f"/jobs/{job_id}/cancel", other="x"),
        await site.post(f"/jobs/{job_id}/rerun", id="nonsense"),
    ):
        assert response.status_code == 422
    assert (await site.post(f"/jobs/{job_id}/cancel", note="x" * 20_000)).status_code == 413
    assert (await site.world.there(job_id)).state == State.QUEUED


# --------------------------------------------------------------------------- run again
async def test_running_again_makes_one_new_job_however_often_the_form_is_sent(site: Site) -> None:
    pod = await site.world.running(parameters=[1.50, "ä"])
    await pod.call("finish", attempt=1, outcome="succeeded", exit_code=0)
    page = await site.page(f"/jobs/{pod.job_id}")
    new_id = page.all("input", name="id")[0]["value"]
    for _ in range(2):
        response = await site.post(f"/jobs/{pod.job_id}/rerun", id=new_id)
        assert (response.status_code, response.headers["Location"]) == (303, f"/jobs/{new_id}")
    assert (await site.world.there(new_id)).parameters == (await site.world.there(pod.job_id)).parameters
    assert f"/jobs/{pod.job_id}" in (await site.page(f"/jobs/{new_id}")).links
    response = await site.post(f"/jobs/{pod.job_id}/rerun")
    assert response.headers["Location"] not in {f"/jobs/{new_id}", f"/jobs/{pod.job_id}"}


async def test_what_cannot_be_run_again_says_why_on_its_page(site: Site) -> None:
    pod = await site.world.running()
    response = await site.post(f"/jobs/{pod.job_id}/rerun", id=new_job_id())
    assert response.status_code == 409
    assert "It was not run again: the job has not ended" in Document(response.text).text
    await pod.call("finish", attempt=1, outcome="succeeded", exit_code=0)
    await site.world.put_queue(approved_classes=["other.*"])
    response = await site.post(f"/jobs/{pod.job_id}/rerun", id=new_job_id())
    assert response.status_code == 422
    assert "It was not run again:" in Document(response.text).text


# ----------------------------------------------------------------- jobs that wait
async def test_a_waiting_job_has_buttons_and_its_page_says_what_was_done(site: Site) -> None:
    job_id = await site.world.enqueued(delay_seconds=60, expires_after_seconds=600)

    for offered, deed in (("pause", "pause"), ("resume", "resume"), ("run-now", "run-now")):
        page = await site.page(f"/jobs/{job_id}")
        assert page.all("form", action=f"/jobs/{job_id}/{offered}")
        response = await site.post(f"/jobs/{job_id}/{deed}")
        assert (response.status_code, response.headers["Location"]) == (303, f"/jobs/{job_id}")

    page = await site.page(f"/jobs/{job_id}")
    assert (await site.world.there(job_id)).state == State.QUEUED
    for words in ("expires", "Paused by", "Resumed by", "Made due at once by"):
        assert words in page.text
    assert not page.all("form", action=f"/jobs/{job_id}/run-now")


async def test_a_button_that_comes_too_late_says_so(site: Site) -> None:
    pod = await site.world.running()
    response = await site.post(f"/jobs/{pod.job_id}/pause")
    assert response.status_code == 409
    assert "Nothing was done: the job cannot be paused: it has started" in Document(response.text).text


async def test_suspending_asks_first_and_a_button_resumes(site: Site) -> None:
    pod = await site.world.running()
    assert f"/jobs/{pod.job_id}/suspend" in (await site.page(f"/jobs/{pod.job_id}")).links
    page = await site.page(f"/jobs/{pod.job_id}/suspend")
    assert "its code starts over in a new pod" in page.text
    assert page.all("form", method="post", action=f"/jobs/{pod.job_id}/suspend")

    response = await site.post(f"/jobs/{pod.job_id}/suspend", note="no mail")
    assert (response.status_code, response.headers["Location"]) == (303, f"/jobs/{pod.job_id}")
    assert "Suspending for" in (await site.page(f"/jobs/{pod.job_id}")).text
    assert (await site.get(f"/jobs/{pod.job_id}/suspend")).headers["Location"] == f"/jobs/{pod.job_id}"
    await pod.call("finish", attempt=1, outcome="disrupted", exit_code=-15)
    page = await site.page(f"/jobs/{pod.job_id}")
    for words in ("Suspended for", "Not running: suspended", "Suspended by shop/web", "Attempt 1: disrupted"):
        assert words in page.text
    assert "by shop/web: no mail" in (await site.page("/jobs")).text
    assert f"/jobs/{pod.job_id}/suspend" not in page.links
    assert page.all("form", action=f"/jobs/{pod.job_id}/resume")
    assert (await site.post(f"/jobs/{pod.job_id}/resume")).status_code == 303
    record = await site.world.there(pod.job_id)
    assert (record.paused_by, record.phase) == ("", Phase.RETRYING)


async def test_what_does_not_run_is_not_suspended(site: Site) -> None:
    job_id = await site.world.enqueued()
    assert (await site.get(f"/jobs/{job_id}/suspend")).headers["Location"] == f"/jobs/{job_id}"
    response = await site.post(f"/jobs/{job_id}/suspend")
    assert response.status_code == 409
    assert "Nothing was done: the job cannot be suspended: it has not started" in Document(response.text).text
    assert (await site.post(f"/jobs/{job_id}/suspend", note="x" * 501)).status_code == 422


async def test_a_kube_job_that_somebody_else_has_suspended_has_no_button(site: Site) -> None:
    pod = await site.world.running()
    await site.set(pod.job_id, phase="suspended")
    page = await site.page(f"/jobs/{pod.job_id}")
    assert "kubectl patch job" in page.text
    assert not page.all("form", action=f"/jobs/{pod.job_id}/resume")


async def test_without_the_right_there_is_no_button(site: Site) -> None:
    job_id = await site.world.enqueued()
    site.world.access.deny("create", "backgroundjobrequests/pause", "shop")
    assert not (await site.page(f"/jobs/{job_id}")).all("form", action=f"/jobs/{job_id}/pause")
    assert (await site.post(f"/jobs/{job_id}/pause")).status_code == 403
    pod = await site.world.running()
    assert f"/jobs/{pod.job_id}/suspend" not in (await site.page(f"/jobs/{pod.job_id}")).links
    assert (await site.get(f"/jobs/{pod.job_id}/suspend")).status_code == 403
    assert (await site.post(f"/jobs/{pod.job_id}/suspend")).status_code == 403


# ------------------------------------------------------------------------------ rights
async def test_whoever_comes_from_a_sign_in_to_a_forms_address_sees_the_job(site: Site) -> None:
    """A form that was sent without a session leads the browser through the sign-in to its own address."""
    pod = await site.world.running()
    response = await site.get(f"/jobs/{pod.job_id}/rerun")
    assert (response.status_code, response.headers["Location"]) == (303, f"/jobs/{pod.job_id}")
    assert (await site.get("/jobs/nonsense/rerun")).headers["Location"] == "/jobs"
    assert (await site.page("/jobs")).rows == [pod.job_id]


async def test_what_is_forbidden_is_shown_with_what_is_missing_and_refused(site: Site) -> None:
    pod = await site.world.running()
    await pod.call("beat", attempt=1, chunk=chunk(0, lines("private words")))
    site.world.access.deny("create", "backgroundjobrequests/cancel", "shop")
    site.world.access.deny("get", "backgroundjobrequests/log", "shop")
    page = await site.page(f"/jobs/{pod.job_id}")
    assert "Cancel needs create on backgroundjobrequests/cancel in shop." in page.text
    assert page.all("button", aria_disabled="true", title="needs `create` on backgroundjobrequests/cancel in `shop`")
    assert "needs get on backgroundjobrequests/log in shop" in page.text
    assert "private words" not in page.text
    for response in (
        await site.get(f"/jobs/{pod.job_id}/cancel"),
        await site.post(f"/jobs/{pod.job_id}/cancel"),
        await site.get(f"/jobs/{pod.job_id}/attempts/1/log"),
    ):
        assert response.status_code == 403
        assert "kubectl auth can-i" in response.text
    await pod.call("finish", attempt=1, outcome="succeeded", has_result=True, result="secret result", exit_code=0)
    site.world.access.deny("create", "backgroundjobrequests", "shop")
    site.world.access.deny("get", "backgroundjobrequests/result", "shop")
    page = await site.page(f"/jobs/{pod.job_id}")
    assert "Run again needs create on backgroundjobrequests in shop." in page.text
    assert "secret result" not in page.text
    assert (await site.post(f"/jobs/{pod.job_id}/rerun", id=new_job_id())).status_code == 403
    site.world.access.deny("get", "backgroundjobrequests", "shop")
    assert (await site.get(f"/jobs/{pod.job_id}")).status_code == 403


async def test_large_parameters_and_results_are_cut(site: Site) -> None:
    pod = await site.world.running(parameters=["x" * 100_000])
    await pod.call("finish", attempt=1, outcome="succeeded", has_result=True, result=["y" * 100_000], exit_code=0)
    page = await site.page(f"/jobs/{pod.job_id}")
    assert page.text.count("The first 64 of 97 KiB, as stored.") == 2
    row = (await site.page("/jobs")).text
    assert re.search(r'\["x{100,130}…', row)


async def test_the_bar_is_attributes_alone(site: Site) -> None:
    pod = await site.world.running()
    await pod.call("finish", attempt=1, outcome="error", error=json.loads('{"type": "E"}'), exit_code=1)
    record = await site.world.there(pod.job_id)
    await site.set(pod.job_id, created_at=str(record.created_at - 60_000), queued_at=str(record.created_at - 50_000))
    page = await site.page(f"/jobs/{pod.job_id}")
    segments = [found for found in page.all("rect") if found.get("class", "").startswith("seg")]
    assert segments
    assert sum(float(found["width"]) for found in segments) <= 1000
    assert all(float(found["width"]) >= 5 for found in segments)


async def test_what_helps_is_shown_with_an_error(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise StoreFullError("OOM")

    monkeypatch.setattr(site.world.store, "full_job", full)
    response = await site.get(f"/jobs/{new_job_id()}")
    assert response.status_code == 507
    assert "<p>An administrator can raise maxmemory of Redis, or shorten the retention of queues.</p>" in response.text


async def test_the_command_that_allows_it_is_shown_to_be_copied(site: Site) -> None:
    site.world.access.deny("list", "backgroundjobrequests", "mail")
    response = await site.get("/jobs?ns=mail")
    assert response.status_code == 403
    assert "An administrator can allow it with <code>kubectl create rolebinding bgjobs-viewer:" in response.text
