"""What the leader writes: that it leads, what it has seen of queues and schedules, and what it says of itself."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final, Literal

from bgjobs_core.jobs.spec import short_digest
from bgjobs_core.store.verbs import Verbs

if TYPE_CHECKING:
    from bgjobs_core.health.operator_report import OperatorReport, OperatorRole
    from bgjobs_core.jobs.queue import Held
    from bgjobs_core.jobs.schedule_record import ScheduleRecord
    from bgjobs_core.jobs.spec import Fields
    from bgjobs_core.jobs.timed_limits import TimedLimits
    from bgjobs_core.resources.models import QueueSpec
    from bgjobs_core.store.replies import LeadReply

REPORT_MS: Final = 60_000  # what an operator says is forgotten after this time


def _limits(spec: QueueSpec) -> Fields:
    """The limits besides `max_concurrent`; "" where there is none."""
    rate, of_key = spec.start_rate, spec.start_rate_per_key
    return {
        "max_per_key": spec.max_concurrent_per_key or "",
        "starts": rate.starts if rate else "",
        "span_ms": rate.seconds * 1000 if rate else "",
        "key_starts": of_key.starts if of_key else "",
        "key_span_ms": of_key.seconds * 1000 if of_key else "",
    }


def _for_a_time(limits: TimedLimits | None) -> Fields:
    """What a claim reads of limits that hold until a moment; "" where nothing is said."""
    rate = limits.start_rate if limits is not None else None
    most = limits.max_concurrent if limits is not None else None
    return {
        "limits": limits.text() if limits is not None else "",
        "limits_until": limits.until_ms if limits is not None else "",
        "limits_max": "" if most is None else most,
        "limits_starts": rate.starts if rate else "",
        "limits_span_ms": rate.seconds * 1000 if rate else "",
    }


class Leading(Verbs):
    """The part of the store that the operator writes to besides the jobs."""

    async def lead(self, epoch: str) -> LeadReply:
        """Become the leader, whose claims count from now on.

        Args:
            epoch: a random token of this leader.

        Returns:
            The store's id, and how many writes it has seen.
        """
        return await self._lead(epoch=epoch, store_id=secrets.token_hex(8))

    async def put_queue(
        self,
        key: str,
        spec: QueueSpec,
        uid: str = "",
        held: Held | None = None,
        refused: str = "",
        limits: TimedLimits | None = None,
    ) -> Literal["put", "same"]:
        """Write the settings of a queue.

        Args:
            key: of the queue, as `namespace/name`.
            spec: as its object says.
            uid: of its object. Under another UID it is another queue, which does not take over the jobs of the one
                before.
            held: who has paused it, as its object says; not kept of a queue that is not paused.
            refused: why nothing may be launched of it, whatever it says; "" if it may.
            limits: what holds in place of its limits until a moment.

        Returns:
            `put`, or `same` if the store has these settings already.
        """
        fields: Fields = {
            "spec": spec.model_dump_json(by_alias=True, exclude_defaults=True),
            "max_concurrent": spec.max_concurrent,
            "is_paused": int(spec.paused or bool(refused)),
            **_limits(spec),
            **_for_a_time(limits),
            "uid": uid,
            "held": held.text() if held is not None and spec.paused else "",
            "refused": refused,
        }
        return await self._put_queue(queue=key, fields={**fields, "version": short_digest(fields)})

    async def put_schedule(self, record: ScheduleRecord) -> Literal["put", "same"]:
        """Write what is known of a schedule.

        Args:
            record: with the wishes that were carried out; they are forgotten.

        Returns:
            `put`, or `same` if the store knows all that already.
        """
        return await self._put_schedule(
            schedule=record.key, suspend=record.wish_suspend, ran=record.wish_ran, fields=record.fields()
        )

    async def look(self, epoch: str) -> Literal["noted", "not_leader"]:
        """Count that the leader has looked at Redis.

        Args:
            epoch: the leader's token.

        Returns:
            `noted`, or `not_leader` if another one leads by now.
        """
        return await self._look(epoch=epoch)

    async def report(self, said: OperatorReport, epoch: str = "") -> Literal["told", "not_leader"]:
        """Keep what an operator says of itself for a minute.

        Args:
            said: it replaces what was said before.
            epoch: the leader's token; "" for an operator that waits.

        Returns:
            `told`, or `not_leader` if another one leads by now.
        """
        role: OperatorRole = "leading" if epoch else "waiting"
        return await self._report(
            role=role, pod=said.pod, remember_ms=REPORT_MS, epoch=epoch or None, fields=said.fields()
        )
