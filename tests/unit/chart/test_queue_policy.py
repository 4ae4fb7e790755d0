"""What who may only pause a queue can change of it: the policy of the chart. test_people.py runs it on a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bgjobs_core.jobs.queue import PAUSED_AT, PAUSED_BY, PAUSED_NOTE
from bgjobs_core.jobs.timed_limits import LIMITS as FOR_A_TIME
from bgjobs_core.resources.models import QueueSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    Render = Callable[..., list[dict[str, Any]]]

KINDS = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
LIMITS = {"paused", "maxConcurrent", "maxConcurrentPerKey", "startRate", "startRatePerKey"}


def policy(items: list[dict[str, Any]]) -> dict[str, Any]:
    (found,) = [one for one in items if one["kind"] == "ValidatingAdmissionPolicy"]
    return found["spec"]


def test_it_refuses_what_it_cannot_judge_and_is_bound(render: Render) -> None:
    items = render(folder="people")
    spec = policy(items)
    assert spec["failurePolicy"] == "Fail"
    assert spec["matchConstraints"]["resourceRules"] == [
        {
            "apiGroups": ["bgjobs.dev"], "apiVersions": ["*"], "operations": ["UPDATE"],
            "resources": ["backgroundjobqueues"],
        }
    ]  # fmt: skip
    (binding,) = [one for one in items if one["kind"] == "ValidatingAdmissionPolicyBinding"]
    assert binding["spec"] == {"policyName": "bgjobs-queues", "validationActions": ["Deny"]}


def test_the_fields_that_may_be_changed_are_fields_of_a_queue(render: Render) -> None:
    (limits,) = [one["expression"] for one in policy(render(folder="people"))["variables"] if one["name"] == "limits"]
    named = set(limits.strip("[]").replace("'", "").split(", "))
    assert named == LIMITS
    fields = {field.alias or name for name, field in QueueSpec.model_fields.items()}
    assert named <= fields


def test_the_notes_that_may_be_changed_are_those_that_the_api_writes(render: Render) -> None:
    (words,) = [
        one["expression"] for one in policy(render(folder="people"))["validations"] if "notes" in one["expression"]
    ]
    assert all(one.startswith("bgjobs.dev/paused-") for one in (PAUSED_BY, PAUSED_AT, PAUSED_NOTE))
    assert words.count("name.startsWith('bgjobs.dev/paused-')") == 2
    assert words.count(f"name == '{FOR_A_TIME}'") == 2


def test_without_the_policy_nobody_who_pauses_may_patch(render: Render) -> None:
    items = render({"rbac": {"queuePolicy": False}}, "people")
    assert not {one["kind"] for one in items} & KINDS
    (role,) = [one for one in items if one["metadata"]["name"] == "bgjobs-operator"]
    rules = [(rule["resources"], rule["verbs"]) for rule in role["rules"]]
    assert (["backgroundjobqueues/pause"], ["update"]) in rules
    changes = {"create", "update", "patch", "delete"}
    assert not [verbs for resources, verbs in rules if "backgroundjobqueues" in resources and changes & set(verbs)]


def test_none_of_it_without_the_roles(render: Render) -> None:
    assert not {one["kind"] for one in render({"rbac": {"create": False}}, "people")} & KINDS


def test_the_operator_hears_what_pods_may_have(render: Render) -> None:
    def said(values: dict[str, Any] | None) -> str:
        (deployment,) = [one for one in render(values, "operator") if one["kind"] == "Deployment"]
        env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
        return next(one["value"] for one in env if one["name"] == "BGJOBS_ALLOWED_POD_FEATURES")

    assert said(None) == ""
    assert said({"jobs": {"allowedPodFeatures": ["hostPath", "runAsRoot"]}}) == "hostPath runAsRoot"
