"""What is missing, and the line that gives it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bgjobs_core.health.findings import Finding, FindingCode, dumps, loads
from bgjobs_core.kube.permissions import Permission, ask_missing, ask_who_we_are, findings, review

if TYPE_CHECKING:
    from bgjobs_core.kube.objects import Object

ACCOUNT = "system:serviceaccount:ops:jobs-operator"
CREATE = Permission("create", "batch", "jobs", "shop")
PATCH = Permission("patch", "bgjobs.dev", "backgroundjobqueues/status", "shop")
LEASE = Permission("get", "coordination.k8s.io", "leases", "ops", "jobs-operator", "-leader")
REVIEW = Permission("create", "authorization.k8s.io", "subjectaccessreviews")
NEEDED = (LEASE, CREATE, PATCH)


@pytest.mark.parametrize(
    ("missing", "needed", "detail", "remedy"),
    [
        (
            (CREATE, PATCH),
            NEEDED,
            "the part has none of its permissions in namespace shop: create jobs.batch, patch "
            "backgroundjobqueues.bgjobs.dev/status",
            "kubectl create rolebinding jobs-operator -n shop --role=jobs-operator --serviceaccount=ops:jobs-operator",
        ),
        (
            (LEASE,),
            NEEDED,
            "the part has none of its permissions in namespace ops: get leases.coordination.k8s.io jobs-operator",
            "kubectl create rolebinding jobs-operator-leader -n ops --role=jobs-operator-leader "
            "--serviceaccount=ops:jobs-operator",
        ),
        (
            (PATCH,),
            NEEDED,
            "the part lacks permissions in namespace shop: patch backgroundjobqueues.bgjobs.dev/status",
            "helm upgrade jobs charts/bgjobs -n ops -f VALUES.yaml",
        ),
        (
            (REVIEW,),
            (REVIEW,),
            "the part has none of its permissions in the cluster: create subjectaccessreviews.authorization.k8s.io",
            "kubectl create clusterrolebinding jobs-operator --clusterrole=jobs-operator "
            "--serviceaccount=ops:jobs-operator",
        ),
    ],
)
def test_what_mends_it(
    missing: tuple[Permission, ...], needed: tuple[Permission, ...], detail: str, remedy: str
) -> None:
    assert findings(FindingCode.API_PERMISSION, "the part", missing, needed, ACCOUNT) == [
        Finding(FindingCode.API_PERMISSION, detail, remedy)
    ]


def test_each_role_has_a_line_of_its_own_even_in_the_same_namespace() -> None:
    here = (LEASE, Permission("list", "", "pods", "ops"))
    assert [one.remedy.split()[3] for one in findings(FindingCode.API_PERMISSION, "x", here, here, ACCOUNT)] == [
        "jobs-operator-leader",
        "jobs-operator",
    ]
    assert findings(FindingCode.API_PERMISSION, "x", (), here, ACCOUNT) == []


@pytest.mark.parametrize("account", ["", "admin", "system:serviceaccount:odd"])
def test_who_is_no_service_account_is_told_in_words(account: str) -> None:
    for missing in ((CREATE, PATCH), (CREATE,)):
        (finding,) = findings(FindingCode.API_PERMISSION, "x", missing, NEEDED, account)
        assert "templates/*/rbac.yaml" in finding.remedy
        assert "kubectl" not in finding.remedy


def test_a_review_names_what_is_meant_and_no_more() -> None:
    def attributes(one: Permission) -> Object:
        return review(one)["spec"]["resourceAttributes"]

    assert attributes(CREATE) == {"verb": "create", "group": "batch", "resource": "jobs", "namespace": "shop"}
    assert attributes(PATCH)["subresource"] == "status"
    assert attributes(LEASE)["name"] == "jobs-operator"
    assert attributes(Permission("list", "", "pods")) == {"verb": "list", "resource": "pods"}


async def test_the_cluster_is_asked_for_each() -> None:
    async def post(path: str, body: Object) -> Object:
        if path.endswith("selfsubjectreviews"):
            return {"status": {"userInfo": {"username": ACCOUNT}}}
        assert body["kind"] == "SelfSubjectAccessReview"
        return {"status": {"allowed": body["spec"]["resourceAttributes"]["verb"] != "patch"}}

    assert await ask_missing(post, NEEDED) == (PATCH,)
    assert await ask_who_we_are(post) == ACCOUNT


def test_findings_survive_json_and_nonsense_does_not() -> None:
    found = (Finding("a", "é", "x", 3), Finding("b", "", ""))
    assert loads(dumps(found)) == found
    assert [loads(text) for text in ("", "7", "{}", "[[]]", '[{"code": "a"}]')] == [()] * 5
