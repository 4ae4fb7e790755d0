"""Makes the docs of the custom resources, every field from their models: queues, requests and schedules."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from bgjobs_core.resources.models import QueueSpec, RequestSpec, RequestStatus
from bgjobs_core.resources.schedules import ScheduleSpec, ScheduleStatus
from pages import code, header, table

if TYPE_CHECKING:
    from collections.abc import Iterator

QUEUES = """\
{header}
# Queues

A `BackgroundJobQueue` says which classes may run, in which image, with which rights and resources, and how many jobs
at once. It is an administrator's object: a job only names its queue (`default` if it names none). On a cluster it is
applied with kubectl; `bgjobs dev -f` takes the same file.

```yaml
apiVersion: bgjobs.dev/v1alpha1
kind: BackgroundJobQueue
metadata: {{name: reports}}     # namespace: that of the jobs
spec:
  image: registry.example/shop:2026.11     # not needed with bgjobs dev
  approvedClasses: ["shop.reports.*"]
  maxConcurrent: 2
  pod:
    env: [{{name: SMTP_HOST, value: mail.example}}]
    resources: {{limits: {{memory: 512Mi}}}}
```

Images in `images` are patterns, part by part: `registry.example/shop:*` is every tag of that repository, and `*` stands
for no slash, colon or at sign. What `pod` may have is [restricted](operations.md#what-the-pods-of-a-queue-may-have).

A class is approved by its name or by its package, and so must be the class that defines the method: what a class
inherits from elsewhere cannot be called as a job, unless that class is approved as well. A function is approved by the
name of its module, or by its package: `shop.jobs` or `shop.*`; `shop.jobs.*` are the classes of that module alone. So
must be the module that defines it: what a module has imported from elsewhere is not its own. What is written in C, and
what is in a `__main__`, cannot be called as a job.

## Limits

`maxConcurrent` bounds how many jobs of the queue are in slots at once, whoever they are for. A tenant, who is the
`concurrency_key` of a job, can have a bound of its own, and both can have a rate:

```yaml
  maxConcurrent: 50
  maxConcurrentPerKey: 5                          # of one customer at most five at once
  startRate: {{starts: 100, seconds: 60}}           # of all customers at most 100 in any minute
  startRatePerKey: {{starts: 10, seconds: 60}}      # of one customer at most ten in any minute
```

A rate holds for any time of that length, not only for whole minutes of the clock. It counts starts of jobs; further
attempts of a job do not count, nor do launches that Kubernetes has refused. Jobs without a key share the slots of the
queue, but no limit of a key. A key at its limit holds up nobody: the others take their turns as if it had no jobs.
`bgjobs show`, the page of a job and the API say which limit a job waits for, and until when. A limit that is changed
holds at once, and ends nothing that runs.

## Kueue

[Kueue](https://kueue.sigs.k8s.io) shares the quota of a cluster among teams. A queue can send its KubeJobs through it:

```yaml
  kueueQueueName: team-a      # a LocalQueue of Kueue, in the namespace of the queue
  maxConcurrent: 200          # how many may run, or wait at Kueue
  pod:
    resources: {{requests: {{cpu: "1", memory: 1Gi}}}}      # what Kueue counts
```

Kueue 0.15 or newer must be in the cluster, and bgjobs be installed with `kueue.enabled: true`. Without that the jobs
of such a queue are refused, and the queue says why.

- The KubeJob is made suspended, with the label `kueue.x-k8s.io/queue-name`. **It starts when Kueue admits it.** Until
  then the job holds a slot of its queue here, and `bgjobs why ID` says `kueue_pending`, in the words of Kueue: that a
  quota is used up, that there is no such LocalQueue, that a check is missing. So do its page and its request's status.
- `pendingDeadlineSeconds` counts from the admission. No deadline runs while a job waits for Kueue.
- **Kueue may take back a place**, as for a job with a higher priority. The pod stops as in a suspension, and its code
  starts over when the job is admitted again; meanwhile `why` says `kueue_pending` again. That attempt is `disrupted`,
  and does not count: not as a failure, and up to 20 times not as one of the six disruptions that a job may have either.
- Kueue goes by the PriorityClass of the pod (`priorityClasses`), so jobs with `priority=1` come first. Keep
  `maxConcurrent` above what Kueue admits: a job without a slot here is not known to Kueue, and cannot displace another.
- `bgjobs suspend ID` works as with every job: it sets `spec.active: false` in the Workload, because Kueue would undo a
  change of the KubeJob. The job gives its place at Kueue back, and waits for a new one when it is resumed.
- A queue that gets, loses or changes `kueueQueueName` changes nothing for KubeJobs that are there already.
- A pod must run in the cluster of bgjobs, which knows its own pods alone: with MultiKueue, jobs do not start.

All fields of `spec`. With `bgjobs dev` only those in **bold** have an effect.

{fields}"""

REQUESTS = """\
{header}
# Requests

A `BackgroundJobRequest` asks for one job, by `kubectl apply`, Argo CD, or any other program that writes to the
Kubernetes API. Its job is like one of `run_background_job`: in the same queues, lists and pages.

```yaml
apiVersion: bgjobs.dev/v1alpha1
kind: BackgroundJobRequest
metadata: {{name: november, namespace: shop}}
spec: {{class: shop.jobs.Invoices, method: render, parameters: [2026, 11]}}
```

All fields of `spec`, which cannot be changed once the request exists:

{fields}

## Requests that need others

```yaml
metadata: {{name: november-mail, namespace: shop}}
spec: {{class: shop.jobs.Mail, method: send, needs: [november, prices], onParentFailure: cancel}}
```

The job of this request is `blocked` until the jobs of the two others have ended. If one of them fails or is
cancelled, it is cancelled at once, and says because of which one; with `onParentFailure: run` it runs when both have
ended. The files may be applied in any order: a request waits until those that it needs are jobs themselves. Requests
that need each other in a circle would wait for ever: the one that closes it is refused, with the way around. As long
as a job waits or runs, the jobs that it needs, and their requests, are kept.

## What becomes of it

```sh
kubectl get bgjobs -n shop                # the short name, as bgjob
kubectl wait --for=condition=Complete bgjob/november -n shop --timeout=10m
kubectl wait --for=condition=Failed bgjob/november -n shop --timeout=0
```

There are two conditions, as with a Job of Kubernetes, and in the end one of them is `True` (or, with a
[unique key](unique.md#requests) that another job has, `Unneeded`): **`Complete`** when the job
has succeeded, **`Failed`** when it has failed, was cancelled, or was refused at once. The condition's `reason` says
which, for example `Succeeded`, `Error`, `TimedOut`, `Cancelled` or `ClassNotApproved`. How a job has ended stays: the
API server refuses every other state then. A script that waits for either:

```sh
kubectl wait --for=jsonpath='{{.status.finishedAt}}' bgjob/november -n shop --timeout=10m
kubectl get bgjob november -n shop -o jsonpath='{{.status.state}}'
```

### A request that waits

A request that is no job yet has the state `waiting`, and its condition `Admitted` is `False`:

| Reason | Why | What mends it |
| --- | --- | --- |
| `QueueNotFound` | its namespace has no such BackgroundJobQueue | an administrator makes it; the job follows at once |
| `NoRoom` | Redis is nearly full | nothing; it is tried again at least once a minute |
| `TooManyClasses` | the namespace has jobs of too many different queues, states and classes | \
call classes that have jobs there already; it is tried again at least once a minute |
| `WaitsForParents` | a request that it needs is not there, or is no job yet | create it; this one follows by itself |

One that can never become a job has the state `failed`, and its condition `Failed` says why: `ClassNotApproved`,
`ImageMissing`, `ImageNotAllowed`, `InvalidSpec`, `InvalidParameters`, `SpecChanged`, `ParentFailed` or `NeedsCycle`.
Make a new request when that is mended. In all of these cases there is an Event too, one for each reason: `kubectl
describe bgjob november` shows it. A request without any state was not looked at yet: `bgjobs doctor` says whether an
operator leads.

The fields of `status`:

{status}

Deleting a request cancels its job, if that has not ended. The operator deletes a request together with the record of
its job, after the queue's `retention.recordsSeconds`. A request that was refused never became a job: the list of jobs
does not have it, only `kubectl` shows it.
"""

SCHEDULES = """\
{header}
# Schedules

A `BackgroundJobSchedule` makes a job at each tick: by a cron expression in a time zone, or every so many seconds. Its
jobs are like all others, in the same queues, lists and pages.

```yaml
apiVersion: bgjobs.dev/v1alpha1
kind: BackgroundJobSchedule
metadata: {{name: nightly, namespace: shop}}
spec:
  cron: "30 2 * * *"
  timeZone: Europe/Berlin
  concurrencyPolicy: Forbid
  job: {{class: shop.jobs.Invoices, method: render, parameters: [2026, 11]}}
```

```sh
kubectl get bgschedules -n shop              # when each ticks next, and whether it is well
bgjobs schedule list -n shop                 # the same for those who have no right in the cluster but that of the API
bgjobs schedule run nightly -n shop          # its job at once; `pause` and `resume` are like this, too
```

`run` makes a job also if the schedule is paused, and whatever its concurrency policy is, which counts this job at the
next tick. `pause` sets `spec.suspend` of the object; a Git repository that is applied again and again must say the
same. Who may do that is decided by RBAC: `patch` on `backgroundjobschedules`, and to run it also `create` on
`backgroundjobrequests`.

## On the dashboard

The page *Schedules* shows when each ticks, in words where there are good ones, and as it is written; its next three
ticks by the clocks of its time zone; and what became of the latest ones. Each of these leads to its job. A tick for
which no job was made is a triangle, and says why. The page of one schedule has its object as YAML, as the operator
last saw it. To see schedules needs `list` on `backgroundjobschedules`, and to see what became of their ticks `list` on
`backgroundjobrequests`.

## Fields of `spec`

All fields of `spec`; those of `job` are the fields of a [request](requests.md), without `delaySeconds`,
`traceparent` and a unique key:

{fields}

## When it ticks

`cron` has five fields: minute, hour, day of the month, month, weekday. Each is a number, a range (`1-5`), a list
(`1,15`), or has a step (`*/10`, `9-17/2`); months and weekdays may be names (`jan`, `mon-fri`), and 0 and 7 are
Sunday. `L` is the last day of a month and `LW` its last working day; `5L` is its last Friday, `mon#2` its second
Monday. Where a day and a weekday are given, and neither begins with `*`, one of them is enough. An expression that
never comes, such as `0 0 30 2 *`, is refused.

Where clocks are changed, it is as with Debian's cron. A time of day, such as `30 2 * * *`, is once a day: on the
night that leaves out 02:00 to 03:00 it is at 03:00, and on the night that has this hour twice it is in the first of
the two. An expression whose minute or hour begins with `*`, such as `*/10 * * * *`, follows time as it passes.

With `jitterSeconds` the job is made at its tick and waits, `scheduled`, for up to so many seconds more. How many is
drawn from the schedule and the tick, so that many schedules of one minute do not all start in one second.

## Ticks that are missed

A tick that is noticed within 30 seconds is on time. Later than that, no operator was running, and `missedTicks` says
whether jobs are made up. With `last`, one job stands for all ticks that were missed: that of the last one, or of the
next if that is just due. `startingDeadlineSeconds` is a bound for this: no job is made for a tick that is longer ago.

A schedule that is new, was resumed, or was given other times never makes up what lies before that.

`status.missed` has the newest ten ticks for which no job was made, with the reason: `operator away`, `starting
deadline`, `suspended`, `forbid: job … still runs`, `replace: a later tick was due too`, or `refused: …` in the words
of the queue that did not admit the job.

Whatever happens, one tick makes at most one job: the id of the job is derived from the schedule and the tick.

## Fields of `status`

{status}

The condition `Ready` is `False` with the reason `InvalidSpec` if nothing ticks by this spec, for example because
there is no such time zone, and with another reason if the latest tick's job was not admitted.

Deleting a schedule leaves its jobs alone: those that were made wait, run and end as any other.
"""

# The fields that local mode respects; docs/local.md says what becomes of the others.
_LOCAL = frozenset({
    "maxConcurrent", "maxConcurrentPerKey", "startRate.starts", "startRate.seconds", "startRatePerKey.starts",
    "startRatePerKey.seconds", "paused", "approvedClasses", "defaultMaxRetries", "defaultTimeoutSeconds",
    "pendingDeadlineSeconds", "graceSeconds", "retention.recordsSeconds", "retention.logsSeconds", "pod.env",
    "pod.resources",
})  # fmt: skip


def _rows(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.serialization_alias or name}"
        inner = next((one for one in get_args(field.annotation) if one is not type(None)), field.annotation)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _rows(inner, f"{path}.")
            continue
        shown = f"**{code(path)}**" if path in _LOCAL else code(path)
        default = code(_default(field.get_default(call_default_factory=True)))
        yield shown, default, field.description or ("As in a pod of Kubernetes." if prefix == "pod." else "")


def _status(model: type[BaseModel]) -> list[tuple[str, str]]:
    return [(name, words) for name, _, words in _rows(model)]


def _default(value: Any) -> str:
    return "" if value is None or value is PydanticUndefined else json.dumps(value)


def files() -> Iterator[tuple[str, str]]:
    """Yield the pages docs/queues.md, docs/requests.md and docs/schedules.md."""
    top = header("core/bgjobs_core/resources/models.py")
    columns = ["Field", "Default", "What it is"]
    yield "docs/queues.md", QUEUES.format(header=top, fields=table(columns, _rows(QueueSpec)))
    what_it_is = ["Field", "What it is"]
    yield (
        "docs/requests.md",
        REQUESTS.format(
            header=top, fields=table(columns, _rows(RequestSpec)), status=table(what_it_is, _status(RequestStatus))
        ),
    )
    in_short = (row for row in _rows(ScheduleSpec) if not row[0].startswith("`job."))
    yield (
        "docs/schedules.md",
        SCHEDULES.format(
            header=header("core/bgjobs_core/resources/schedules.py"),
            fields=table(columns, in_short),
            status=table(what_it_is, _status(ScheduleStatus)),
        ),
    )
