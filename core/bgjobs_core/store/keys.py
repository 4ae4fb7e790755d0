"""Every key in Redis, spelled once: Python calls these, and `lua_keys` writes them into Lua.

All keys share one hash tag, so that a script may touch any of them. Each has an owner that removes it, a time to live
or a bound (S9 of docs/safety.md). docs/redis.md is generated from this table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

PREFIX: Final = "{bgjobs}:"
# The number of this layout. It changes when a server of the version before could not read what this one writes.
LAYOUT: Final = "3"
WATCHED_SECONDS: Final = 15  # a runner beats more often after somebody has looked at its job


@dataclass(frozen=True)
class Key:
    """A family of keys.

    Attributes:
        name: of the function in Python, and as Lua files call it.
        pattern: with the function's arguments in braces.
        kind: the Redis type.
        holds: what is in it.
        bound: what keeps it from growing.
    """

    name: str
    pattern: str
    kind: str
    holds: str
    bound: str

    @cached_property
    def arguments(self) -> list[str]:
        """Names in braces, in their order."""
        return [part.partition("}")[0] for part in self.pattern.split("{")[1:]]

    @cached_property
    def _format(self) -> str:
        return PREFIX + re.sub(r"\{\w+\}", "%s", self.pattern)

    def __call__(self, *values: object) -> str:
        """The key's full name; a TypeError if there are too many values or too few."""
        return self._format % values


job = Key("job", "job:{id}", "hash", "the record", "retire, after the retention")
spec = Key(
    "spec", "spec:{digest}", "hash", "what many jobs have in common; `jobs` counts them", "its last job's retire"
)
payload = Key("payload", "payload:{id}", "string", "the parameters of a job, as JSON", "retire, with the record")
result = Key("result", "result:{id}", "string", "what a job returned, as JSON", "retire, with the record")
progress = Key("progress", "progress:{id}", "string", "how far a job says it is, as JSON", "retire, with the record")
checkpoint = Key(
    "checkpoint",
    "checkpoint:{id}",
    "string",
    "where the next attempt of a job goes on, as JSON",
    "64 KiB, success, cancel or retire",
)
stack = Key(
    "stack", "stack:{id}", "hash", "what the process of a job does, and who wishes to know: a number, times, text",
    "64 KiB, expires after an hour, retire",
)  # fmt: skip
attempt = Key("attempt", "attempt:{id}:{n}", "hash", "one attempt", "retire, with the record")
history = Key(
    "history",
    "history:{id}",
    "list",
    "what people did with a job: when, what, who, why",
    "50, retire, with the record",
)
log_head = Key("log_head", "log:{id}:{n}:head", "list", "first chunks of a log", "1 MiB, expires")
log_tail = Key("log_tail", "log:{id}:{n}:tail", "list", "last chunks of a log", "1 MiB, expires")
needs = Key(
    "needs", "needs:{id}", "hash", "how each job or batch ended that a job needs, and how many are open", "100, retire"
)
children = Key(
    "children", "children:{id}", "zset", "open jobs that need a job or batch: 0, or 1 once they know its end",
    "open children",
)  # fmt: skip
batch = Key(
    "batch", "batch:{id}", "hash", "a batch: how many jobs it has had, how many are in each state, and its times",
    "retire, with its last job",
)  # fmt: skip
batches = Key(
    "batches", "batches:{namespace}", "zset", "batches by the time at which their first job came", "one per batch"
)  # fmt: skip
batch_jobs = Key("batch_jobs", "batch_jobs:{id}", "zset", "jobs of a batch that are kept, all with 0", "retire")
unblocking = Key(
    "unblocking", "unblocking:{namespace}", "zset", "ended jobs and batches whose children do not all know that",
    "those with open children",
)  # fmt: skip
unblockings = Key("unblockings", "unblockings", "zset", "namespaces that have such jobs, by turn", "namespaces")
lane = Key(
    "lane", "lane:{queue}:{uid}:{priority}:{key}", "zset", "queued jobs of a concurrency key by queued_at",
    "queued jobs",
)  # fmt: skip
turns = Key(
    "turns", "turns:{queue}:{uid}:{priority}", "zset", "concurrency keys with queued jobs, by turn", "queued jobs"
)
ready = Key("ready", "ready", "hash", "how many jobs of each queue, as namespace/name:uid, are queued", "queued jobs")
due = Key("due", "due:{namespace}", "zset", "scheduled jobs by not_before", "one per scheduled job")
dues = Key("dues", "dues", "zset", "namespaces with scheduled jobs, by the earliest not_before", "scheduled jobs")
start_by = Key(
    "start_by",
    "start_by",
    "zset",
    "waiting jobs that expire, by when they must have a slot",
    "waiting jobs that expire",
)
holds = Key("holds", "holds:{namespace}", "hash", "what is held of a namespace by what it is", "50 a namespace, let_go")
hold_ends = Key(
    "hold_ends", "hold_ends", "zset", "holds that end, as namespace/id, by the time at which they do", "50 a namespace"
)
holding = Key("holding", "holding:{hold}", "zset", "queues with jobs that a hold has set aside, by turn", "held jobs")
aside = Key(
    "aside", "aside:{hold}:{queue}:{uid}", "zset", "queued jobs that a hold has set aside, by queued_at", "held jobs"
)
sweeping = Key(
    "sweeping", "sweeping", "zset", "queues in which held jobs stand before others, by turn", "queues with held jobs"
)
owned = Key("owned", "owned:{queue}", "zset", "jobs that hold a slot", "max_concurrent")
owned_by = Key(
    "owned_by", "owned_by:{queue}:{key}", "zset", "jobs of a concurrency key that hold a slot", "max_concurrent"
)
closed = Key(
    "closed", "closed:{queue}:{uid}", "zset", "concurrency keys at a limit, by the time at which they may go on",
    "keys that have started jobs",
)  # fmt: skip
reopening = Key(
    "reopening", "reopening:{queue}:{uid}", "zset", "concurrency keys of earlier limits", "claims take them out"
)
starts = Key("starts", "starts:{queue}", "list", "times of the latest starts of a queue with a rate", "1,000, expires")
starts_by = Key(
    "starts_by", "starts_by:{queue}:{key}", "list", "times of the latest starts of a concurrency key", "1,000, expires"
)
unique = Key(
    "unique", "unique:{namespace}:{key}", "string", "id of the job that has this unique key",
    "its end, or expires a while after",
)  # fmt: skip
answer = Key(
    "answer", "answer:{id}", "string",
    "of a job that was not made because of its unique key: digest, what was said, the other job and its state",
    "expires after an hour; of a request, after the retention",
)  # fmt: skip
launching = Key("launching", "launching:{namespace}", "zset", "write-ahead intents", "one per launching job")
launched = Key(
    "launched", "launched:{namespace}", "zset", "jobs with a KubeJob, by launched_at", "one per launched job"
)
stopping = Key(
    "stopping", "stopping:{namespace}", "zset", "jobs whose KubeJob is being deleted", "one per stopping job"
)
suspending = Key(
    "suspending", "suspending:{namespace}", "zset", "launched jobs to be suspended or resumed, by when that was wished",
    "one per launched job",
)  # fmt: skip
ended = Key(
    "ended", "ended:{namespace}", "zset", "ended jobs whose KubeJob is still kept, by finished_at", "retire, after R"
)
expiring = Key("expiring", "expiring:{namespace}", "zset", "ended jobs by the time their record is dropped", "retire")
cell = Key(
    "cell", "cell:{cell}", "zset", "jobs of one queue, standing and class, by changed_at", "each job in one cell"
)
cells = Key(
    "cells", "cells:{namespace}", "zset", "cells that hold jobs, by the latest changed_at", "10,000 for new jobs"
)
namespaces = Key("namespaces", "namespaces", "set", "namespaces that have cells", "namespaces with records")
dirty = Key(
    "dirty",
    "dirty:{namespace}",
    "zset",
    "request-born jobs, by when their status is due",
    "one per job, settled",
)
queue = Key("queue", "queue:{queue}", "hash", "settings of a queue", "one per BackgroundJobQueue")
gone = Key(
    "gone", "gone", "zset", "deleted queues by the time at which that was seen", "a queue of the name, or seven days"
)
endings = Key(
    "endings", "endings:{queue}", "hash", "how many jobs of a queue have ended, by how they did", "ten a queue, with it"
)
queues = Key("queues", "queues", "set", "names of queues, as namespace/name", "one per BackgroundJobQueue")
schedule = Key(
    "schedule",
    "schedule:{schedule}",
    "hash",
    "what is known of a schedule, and wished",
    "one per BackgroundJobSchedule",
)
schedules = Key(
    "schedules", "schedules", "set", "names of schedules, as namespace/name", "one per BackgroundJobSchedule"
)
wished = Key("wished", "wished", "set", "schedules of which something is wished", "one per BackgroundJobSchedule")
bulk = Key("bulk", "bulk:{id}", "hash", "a bulk: what is done with which jobs, for whom, and how far it is", "expires")
bulks = Key(
    "bulks",
    "bulks:{namespace}",
    "zset",
    "bulks of a namespace, by when they were begun",
    "200, expires after seven days",
)
bulks_open = Key("bulks_open", "bulks_open:{namespace}", "zset", "those that are not over", "20, expires")
bulk_key = Key("bulk_key", "bulk_key", "string", "random; previews of bulks are signed by it", "one")
layout = Key("layout", "layout", "string", "the number of this layout of keys", "one")
epoch = Key("epoch", "epoch", "string", "the leader's random token", "one")
seq = Key("seq", "seq", "string", "counts the writes", "one")
looks = Key("looks", "looks", "string", "counts how often a leader has looked at Redis", "one")
store_id = Key("store_id", "store_id", "string", "random, made with the first write", "one")
hold = Key("hold", "hold", "hash", "why nothing is launched, and since when", "one, until it is released")
emptied = Key("emptied", "emptied", "string", "id of the store that was emptied here on purpose", "one")
wake = Key("wake", "wake", "stream", "says that something became ready", "about 100 entries")
watched = Key(
    "watched",
    "watched:{id}",
    "string",
    "somebody follows the log of this job, or waits for its stacks",
    f"expires after {WATCHED_SECONDS} s",
)
operator = Key(
    "operator", "operator:{role}", "hash", "what the operator says that leads, or one that waits", "expires after 60 s"
)

KEYS: Final = (
    history, start_by, needs, children, batch, batches, batch_jobs, unblocking, unblockings,
    job, spec, payload, result, progress, checkpoint, stack, attempt, log_head, log_tail, lane, turns, ready, due, dues,
    holds, hold_ends, holding, aside, sweeping, owned,
    owned_by, closed, reopening, starts, starts_by, unique, answer,
    launching, launched, stopping, suspending, ended, expiring, cell, cells, namespaces, dirty, queue, gone, endings,
    queues, schedule, schedules, wished, bulk, bulks, bulks_open, bulk_key, epoch, layout, seq, looks, store_id,
    hold, emptied, wake, watched, operator,
)  # fmt: skip
