"""Whether something around the API is wrong: the cluster, the clocks, our permissions, the operator.

`/readyz` is asked every few seconds. So Kubernetes is asked in the background, about once a minute, and what it says is
remembered with its age; what the operator reports is read from Redis each time. The functions `findings_about*` decide
what is wrong, and ask nobody.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import structlog

from bgjobs_core.cancellation import end_if_cancelled
from bgjobs_core.health.findings import Finding, FindingCode
from bgjobs_core.kube import permissions
from bgjobs_core.kube.errors import KubeError, KubeUnreachableError
from bgjobs_core.kube.objects import MINIMUM_VERSION
from bgjobs_core.kube.permissions import Permission
from bgjobs_core.redis.errors import StoreError
from bgjobs_core.resources.models import GROUP, QUEUES
from bgjobs_core.version import own_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs_api.clock import Clock
    from bgjobs_core.health.operator_report import OperatorReport
    from bgjobs_core.kube.door import Kube
    from bgjobs_core.kube.objects import ApiServer
    from bgjobs_core.store.store import Store

PERIOD: Final = 60.0
TROUBLE_PERIOD: Final = 10.0  # seconds while something is wrong, as somebody may be repairing it
# Half of what is allowed when tokens are verified.
MAX_SKEW_SECONDS: Final = 30.0
NEEDED: Final = (
    Permission("create", "authorization.k8s.io", "subjectaccessreviews"),
    Permission("patch", GROUP, QUEUES),
)
_PAUSE: Final = 1.0  # seconds, as Kubernetes rarely refuses only one request
_NTP: Final = "set the clocks by NTP on every node (`timedatectl set-ntp true`)"

log: Any = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """What was seen of the surroundings at one time; None where it could not be asked.

    Attributes:
        at: when that was, by the monotonic clock.
        unreachable: why Kubernetes did not answer; "" if it did.
        kubernetes: the version and the clock of its API server.
        kubernetes_skew: by how many seconds the API server's clock is ahead of ours.
        redis_skew: by how many seconds the clock of Redis is ahead of ours.
        missing: the permissions that we need and do not have.
        account: our own name in Kubernetes.
    """

    at: float
    unreachable: str = ""
    kubernetes: ApiServer | None = None
    kubernetes_skew: float | None = None
    redis_skew: float | None = None
    missing: tuple[Permission, ...] = ()
    account: str = ""


def findings_about(seen: Snapshot) -> list[Finding]:
    """What is wrong, by what was seen of Kubernetes and Redis."""
    found: list[Finding] = []
    if seen.unreachable:
        found.append(
            Finding(
                FindingCode.KUBERNETES_UNREACHABLE,
                f"the API does not reach Kubernetes, so it cannot ask what callers may do: {seen.unreachable}",
                "kubectl get --raw '/readyz?verbose'",
            )
        )
    if seen.kubernetes is not None:
        found += findings_about_version(seen.kubernetes)
    found += findings_about_clock(FindingCode.KUBERNETES_CLOCK, "Kubernetes' API server", seen.kubernetes_skew)
    found += findings_about_clock(FindingCode.REDIS_CLOCK, "Redis", seen.redis_skew)
    return found + permissions.findings(FindingCode.API_PERMISSION, "the API", seen.missing, NEEDED, seen.account)


def findings_about_version(server: ApiServer) -> list[Finding]:
    """A finding if this version of Kubernetes is older than bgjobs supports."""
    if server.minor is None or server.minor >= MINIMUM_VERSION:
        return []
    least = ".".join(map(str, MINIMUM_VERSION))
    detail = f"Kubernetes is {server.version}: bgjobs needs {least} or newer"
    return [
        Finding(
            FindingCode.KUBERNETES_TOO_OLD, detail, f"upgrade the cluster to {least} or newer, its control plane first"
        )
    ]


def findings_about_clock(code: FindingCode, whose: str, skew: float | None) -> list[Finding]:
    """A finding if a clock is more than 30 s ahead of ours or behind it.

    Args:
        code: the code of the finding.
        whose: whose clock it is, for the sentence.
        skew: by how many seconds it is ahead of ours; None if that is unknown.
    """
    if skew is None or abs(skew) <= MAX_SKEW_SECONDS:
        return []
    where = "ahead of" if skew > 0 else "behind"
    return [Finding(code, f"the clock of {whose} is {abs(skew):.0f} s {where} the API's", _NTP)]


def findings_about_operator(
    leading: OperatorReport | None, waiting: OperatorReport | None, own: str, namespace: str
) -> list[Finding]:
    """What is wrong with the operator, by what its processes have reported within the last minute.

    Args:
        leading: the report of the process that leads; None if there was none.
        waiting: the report of a process that stands by; None if there was none.
        own: the version of this API.
        namespace: the namespace where bgjobs is installed.
    """
    pods = f"kubectl get pods -n {namespace} -l app.kubernetes.io/name=bgjobs,app.kubernetes.io/component=operator"
    if leading is None and waiting is None:
        return [
            Finding(
                FindingCode.OPERATOR_SILENT,
                "no operator has reported for a minute: jobs are accepted, but do not start",
                pods,
            )
        ]
    if leading is None:
        assert waiting is not None  # noqa: S101 - the case before
        detail = f"no operator leads, so jobs do not start; {waiting.pod} stands by"
        look = waiting.findings[0].remedy if waiting.findings else pods
        return [Finding(FindingCode.OPERATOR_WAITS, detail, look), *waiting.findings]
    found = list(leading.findings)
    if leading.version != own:
        detail = (
            f"the operator is version {leading.version or 'unknown'}, the API {own}: an update is under way, or stuck"
        )
        found.append(Finding(FindingCode.OPERATOR_VERSION, detail, pods))
    return found


class Surroundings:
    """Looks at the surroundings of the API again and again, and tells what is wrong with them.

    Args:
        kube: the connection to Kubernetes.
        store: the store, for the clock of Redis and the reports of the operator.
        clock: tells our own time.
        namespace: the namespace where bgjobs is installed.
    """

    def __init__(self, kube: Kube, store: Store, clock: Clock, namespace: str) -> None:
        self._kube = kube
        self._store = store
        self._clock = clock
        self._namespace = namespace
        self._account = ""
        self._seen: Snapshot | None = None

    def findings(self) -> Sequence[Finding]:
        """What was wrong at the last look, each with its age. Nothing is asked for this."""
        if self._seen is None:
            return ()
        age = round(self._clock().monotonic - self._seen.at)
        return [replace(one, age_seconds=age) for one in findings_about(self._seen)]

    async def ask_operator(self) -> Sequence[Finding]:
        """What is wrong with the operator, by the reports that its processes have written into Redis.

        Raises:
            StoreError: if Redis does not answer.
        """
        leading = await self._store.operator_report("leading")
        waiting = None if leading is not None else await self._store.operator_report("waiting")
        return findings_about_operator(leading, waiting, own_version(), self._namespace)

    async def run(self) -> None:
        """Look once a minute, every ten seconds while something is wrong, and soon after a refusal by Kubernetes.

        It runs until it is cancelled.
        """
        while True:
            self._kube.forbidden.clear()
            try:
                await self.look()
            except Exception:
                log.exception("looking at the surroundings failed")
            end_if_cancelled()
            await asyncio.sleep(_PAUSE)
            try:
                async with asyncio.timeout(TROUBLE_PERIOD if self.findings() else PERIOD):
                    await self._kube.forbidden.wait()
            except TimeoutError:
                continue

    async def look(self) -> None:
        """Look at the surroundings now, and remember what was seen."""
        redis_skew = await self._redis_skew()
        before = self._clock()
        unreachable, kubernetes, missing = "", None, tuple[Permission, ...]()
        try:
            kubernetes = await self._kube.about()
        except KubeError as error:
            unreachable = str(error) if isinstance(error, KubeUnreachableError) else ""
        after = self._clock()
        if not unreachable:
            try:
                self._account = self._account or await permissions.ask_who_we_are(self._kube.post)
                missing = await permissions.ask_missing(self._kube.post, NEEDED)
            except KubeError as error:
                log.warning("permissions cannot be checked", error=str(error))
        clock = kubernetes.clock if kubernetes is not None else None
        skew = None if clock is None else clock - (before.wall + after.wall) / 2
        self._seen = Snapshot(after.monotonic, unreachable, kubernetes, skew, redis_skew, missing, self._account)

    async def _redis_skew(self) -> float | None:
        before = self._clock().wall
        try:
            told = await self._store.now_ms()
        except StoreError:
            return None  # `/readyz` tells that Redis does not answer
        return told / 1000 - (before + self._clock().wall) / 2
