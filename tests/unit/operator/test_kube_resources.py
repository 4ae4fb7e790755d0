"""Our custom resources in the Kubernetes API: what its answers mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from bgjobs_core.kube.errors import KubeRefusedError
from bgjobs_core.resources.models import ENDED_STAYS, REQUESTS
from bgjobs_operator.cluster.kube_resources import KubeResources
from tests.unit.operator.fake_cluster import Answer, FakeCluster, status

if TYPE_CHECKING:
    from bgjobs_core.kube.objects import Object

PATCH: Final = "PATCH /apis/bgjobs.dev/v1alpha1/namespaces/shop/backgroundjobrequests/nightly/status"
REFUSED: Final = f'BackgroundJobRequest.bgjobs.dev "nightly" is invalid: status: Invalid value: "object": {ENDED_STAYS}'
LAUNCHED: Final[Object] = {"state": "launched"}


@pytest.mark.parametrize(
    ("answer", "written"),
    [
        pytest.param(Answer({}), True, id="written"),
        pytest.param(status(404, "NotFound"), False, id="gone"),
        pytest.param(status(409, "Conflict"), False, id="another one has its name"),
        pytest.param(status(422, "Invalid", REFUSED), False, id="it tells of the end"),
    ],
)
async def test_a_status_is_written_or_not(cluster: FakeCluster, answer: Answer, written: bool) -> None:
    cluster.script(PATCH, answer)
    api = KubeResources(cluster.kube())
    assert await api.apply_status(REQUESTS, "shop", "nightly", "uid-1", LAUNCHED) is written


async def test_any_other_refusal_is_an_error(cluster: FakeCluster) -> None:
    cluster.script(PATCH, status(422, "Invalid", "status.attempt: must be a number"))
    with pytest.raises(KubeRefusedError, match="must be a number"):
        await KubeResources(cluster.kube()).apply_status(REQUESTS, "shop", "nightly", "uid-1", LAUNCHED)
