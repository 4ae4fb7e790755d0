"""What a snapshot means in the words of Prometheus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client.core import Metric

    from bgjobs_operator.metrics.snapshot import Snapshot, Stored

_OF_A_QUEUE = ("namespace", "queue")


def families(taken: Snapshot) -> Iterable[Metric]:
    """All that is told of a snapshot."""
    yield GaugeMetricFamily(
        "bgjobs_operator_leading", "1 if this process launches jobs, 0 if it stands by.", taken.leading
    )
    if not taken.leading:
        return
    yield GaugeMetricFamily("bgjobs_redis_up", "1 if Redis has told what it holds.", taken.stored is not None)
    yield GaugeMetricFamily(
        "bgjobs_launches_held", "1 if nothing is launched until somebody releases it: Redis was older than the world.",
        taken.held,
    )  # fmt: skip
    troubled = GaugeMetricFamily(
        "bgjobs_namespace_in_trouble",
        "1 for a namespace in which jobs are held up; /readyz says why.",
        labels=["namespace"],
    )
    for namespace in taken.troubled:
        troubled.add_metric([namespace], 1)
    yield troubled
    if taken.stored is not None:
        yield from _of_redis(taken.stored)


def _of_redis(stored: Stored) -> Iterable[Metric]:
    if stored.memory is not None:
        yield GaugeMetricFamily("bgjobs_redis_memory_used_bytes", "Memory that Redis uses.", stored.memory.used)
        yield GaugeMetricFamily(
            "bgjobs_redis_memory_limit_bytes",
            "Memory that Redis may use, 0 for no limit. New jobs are refused at 85 % of it.",
            stored.memory.limit,
        )
    jobs = GaugeMetricFamily(
        "bgjobs_jobs", "Jobs that are kept, by state; a launched job shows its phase.", labels=[*_OF_A_QUEUE, "state"]
    )
    for (namespace, queue, state), count in sorted(stored.jobs.items()):
        jobs.add_metric([namespace, queue, state], count)
    yield jobs
    waiting = GaugeMetricFamily(
        "bgjobs_jobs_waiting",
        "Jobs that have not ended and do not run, by the code of why they do not.",
        labels=[*_OF_A_QUEUE, "code"],
    )
    for (namespace, queue, code), count in sorted(stored.waiting.items()):
        waiting.add_metric([namespace, queue, code], count)
    yield waiting
    slots = GaugeMetricFamily("bgjobs_queue_slots", "How many jobs of a queue may run at once.", labels=_OF_A_QUEUE)
    used = GaugeMetricFamily("bgjobs_queue_slots_used", "How many jobs of a queue hold a slot.", labels=_OF_A_QUEUE)
    paused = GaugeMetricFamily("bgjobs_queue_paused", "1 if a person has paused the queue.", labels=_OF_A_QUEUE)
    ended = CounterMetricFamily(
        "bgjobs_jobs_ended",
        "Jobs that have ended since their queue was made, by state and outcome.",
        labels=[*_OF_A_QUEUE, "state", "outcome"],
    )
    now = round(time.time() * 1000)
    for one in stored.queues:
        labels = [one.record.namespace, one.record.name]
        slots.add_metric(labels, one.record.most_at(now))
        used.add_metric(labels, one.owned)
        paused.add_metric(labels, one.record.spec.paused)
        for (state, outcome), count in sorted(one.ended.items()):
            ended.add_metric([*labels, state, outcome or state], count)
    yield from (slots, used, paused, ended)


class _Told(Collector):
    def __init__(self, taken: Snapshot) -> None:
        self._taken = taken

    def collect(self) -> Iterable[Metric]:
        return families(self._taken)


def exposition(taken: Snapshot, accept: str) -> tuple[bytes, str]:
    """The body of a scrape and its content type, in the format that the header `accept` asks for.

    What this process uses of CPU, memory and files is told too.
    """
    registry = CollectorRegistry()
    registry.register(_Told(taken))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type
