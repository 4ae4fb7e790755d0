"""Makes docs/client.md: what programs call, from the signatures and docstrings of the client."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, ForwardRef, get_overloads

import bgjobs
from bgjobs import errors
from bgjobs.client.batch import Call
from bgjobs.client.batch_calls import BatchCalls
from bgjobs.client.batch_handle import BatchHandle, EnqueuedBatch
from bgjobs.client.bulk_calls import BulkCalls, BulkHandle
from bgjobs.client.helper import run_background_job, run_background_jobs
from bgjobs.client.hold_calls import HoldCalls
from bgjobs.client.job_calls import JobCalls
from bgjobs.client.job_client import JobClient
from bgjobs.client.job_handle import JobHandle
from bgjobs.client.list_filters import JobFilters
from bgjobs.client.queue_calls import QueueCalls
from bgjobs.client.schedule_calls import ScheduleCalls
from bgjobs.client.typed import WithOptions, aenqueue, enqueue, with_options
from bgjobs.job_spec import EnqueueOptions
from pages import code, header, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

PAGE = """\
{header}
# The Python client

```sh
pip install bgjobs   # not on an index yet: see the README
```

```python
from bgjobs import enqueue, with_options
from shop.jobs import Invoices

job = enqueue(Invoices.render, 2026, 11, country="at")
print(job.id, job.wait(timeout=600).state)
print(job.result())

with_options(priority=1, delay=60).enqueue(Invoices.render, 2026, 12)
```

A type checker and an editor know what `Invoices.render` takes, and a wrong call is refused before anything is sent.
(They know a method by its first parameter, which must be `self`, without a `/` behind it.) A function of a module in a
package is asked for in the same way, `enqueue(render, 2026, 11)`; see [jobs.md](jobs.md#a-function). Where your program
cannot import the class, because it belongs to another service, name it:

```python
from bgjobs import run_background_job

job = run_background_job("shop.jobs.Invoices", "render", [2026, 11], priority=1, delay=60)
```

In an asyncio program the calls are awaited: `aenqueue`, `run_background_job_async`, `AsyncJobClient`, `AsyncJobHandle`.

```python
from bgjobs import aenqueue
from shop.jobs import Invoices


async def close_month(year: int, month: int) -> object:
    job = await aenqueue(Invoices.render, year, month)
    return await job.result()
```

Errors and handles can be pickled and copied. The token of a client is not pickled with them; it is looked for again
where the handle is used.

## Asking twice is asking once

A call whose answer is lost is sent again under the same id, so that it never becomes two jobs. To be safe against a
crash of your program as well, choose the id before you ask, or give the job a name of your own, a *key*:

```python
from bgjobs import new_job_id, run_background_job, with_options
from shop.jobs import Invoices

job_id = new_job_id()  # store it with your data
run_background_job(Invoices, "render", [2026, 11], id=job_id)
assert run_background_job(Invoices, "render", [2026, 11], id=job_id).id == job_id  # the same job, not a second one

november = with_options(key="invoices-2026-11")
assert november.enqueue(Invoices.render, 2026, 11).id == november.enqueue(Invoices.render, 2026, 11).id
```

The server makes the id of a key from the namespace and the key. The same id or key with another call is a
`ConflictError`. Both hold for as long as the record of the job is kept: a week after its end, unless the queue's
`retention.recordsSeconds` says otherwise. After that, the same key asks for a new job.

## When the server says nothing

One request may take 15 s, and it is sent again for 30 s. A web page should not wait for so long:

```python
from bgjobs import JobClient, UnreachableError, run_background_job

try:
    run_background_job("shop.jobs.Invoices", "render", [2026, 11], timeout=2)
except UnreachableError as error:
    print(error)  # how to ask again for the same job

client = JobClient(call_seconds=2)  # each of its calls
```

`BGJOBS_TIMEOUT=2` in the environment does the same for all calls that do not say otherwise, also those of the command.

{enqueue}
{aenqueue}
{with_options}
{helper}
`options` are of these types:

{options}
## Many jobs at once

```python
from bgjobs import Call, EnqueueManyError, run_background_jobs

calls = [Call("shop.jobs.Invoices", "render", [2026, month]) for month in range(1, 13)]
try:
    batch = run_background_jobs(calls, queue="nightly")
except EnqueueManyError as error:
    print(error)  # how many are stored, and why the others are not
```

A server takes up to 1,000 jobs in one call, and stores all of them or none: so they are sent in pieces. If Redis fails
in the middle of a piece, some of its jobs are stored. The client sends the same piece again, as it does when an answer
is lost; its ids are the same, so that a job which is there is not stored twice. Where that does not help either, these
jobs are in `error.unknown`, and `JobClient().send_many(error.rest)` goes on later. The jobs are a batch, which can be
counted, waited for, cancelled and needed as a whole: see [batches](batches.md).

{many}
{call}
{batch}
{client}
### Filters of a list

{filters}
## Many jobs at once

These are methods of `JobClient`, too; [bulk.md](bulk.md) says what they do.

{bulk}
{handle}
## Errors

All are `BgjobsError`.

{errors}"""

_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Example):$")
_ENTRY = re.compile(r"^    (\w[\w, ]*): (.*)$")


# What only tests replace.
_FOR_TESTS = frozenset({"transport", "sleep", "clock", "environ"})


def _signature(name: str, function: Callable[..., Any]) -> str:
    signature = inspect.signature(function)
    if "args" in signature.parameters:  # a typed call, of which the last overload says that it takes what `P` takes
        signature = inspect.signature(get_overloads(function)[-1])
    shown: list[str] = []
    for one in signature.parameters.values():
        if one.name == "self" or one.name in _FOR_TESTS:
            continue
        if one.kind is one.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        stars = {one.VAR_KEYWORD: "**", one.VAR_POSITIONAL: "*"}.get(one.kind, "")
        default = "" if one.default is one.empty else f" = {one.default!r}"
        shown.append(f"{stars}{one.name}: {one.annotation}{default}")
    returns = signature.return_annotation
    arrow = "" if returns in {inspect.Signature.empty, "None"} else f" -> {returns}"
    return (
        f"{name}({', '.join(shown)}){arrow}".replace("Unpack[EnqueueOptions]", "EnqueueOptions")
        .replace("_P", "P")
        .replace("Unpack[JobFilters]", "JobFilters")
    )


def _text(docstring: str) -> str:
    """A docstring of Google's style as Markdown: the names of sections become bold, and their entries a list."""
    lines: list[str] = []
    for line in inspect.cleandoc(docstring).splitlines():
        if section := _SECTION.match(line):
            lines += [f"**{section[1]}**", ""]
        elif entry := _ENTRY.match(line):
            if entry[1] not in _FOR_TESTS:
                lines.append(f"- `{entry[1]}`: {entry[2]}")
        else:
            lines.append(f"  {line.strip()}" if lines and lines[-1].startswith(("- ", "  ")) and line else line.strip())
    return "\n".join(lines) + "\n"


def _function(level: str, name: str, function: Callable[..., Any]) -> str:
    return f"{level} `{name}`\n\n```python\n{_signature(name, function)}\n```\n\n{_text(function.__doc__ or '')}"


def _class(kind: type, *, is_made_by_users: bool, parts_of_it: Sequence[type] = ()) -> str:
    """The section of a class, with the members that it has from bases of its own."""
    made = f"```python\n{_signature(kind.__name__, kind.__init__)}\n```\n\n" if is_made_by_users else ""
    parts = [f"## `{kind.__name__}`\n\n{made}{_text(kind.__doc__ or '')}"]
    for name, member in (pair for one in (kind, *parts_of_it) for pair in vars(one).items()):
        if name.startswith("_"):
            continue
        if isinstance(member, property):
            parts.append(f"### `{name}`\n\n{_text(member.__doc__ or '')}")
        elif inspect.isfunction(member):
            parts.append(_function("###", name, member))
    return "\n".join(parts)


def _options() -> Iterator[tuple[str, str]]:
    for name, kind in EnqueueOptions.__annotations__.items():
        yield code(name), code(kind.__forward_arg__ if isinstance(kind, ForwardRef) else str(kind))


def _errors() -> Iterator[tuple[str, str]]:
    for name in bgjobs.__all__:
        kind = getattr(errors, name, None)
        if inspect.isclass(kind) and kind is not errors.BgjobsError:
            yield code(name), " ".join(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].split())


def files() -> Iterator[tuple[str, str]]:
    """Yield the page docs/client.md."""
    yield (
        "docs/client.md",
        PAGE.format(
            header=header("the docstrings in client/bgjobs"),
            enqueue=_function("##", "enqueue", enqueue),
            aenqueue=_function("##", "aenqueue", aenqueue),
            with_options=_function("##", "with_options", with_options)
            + "\n"
            + _class(WithOptions, is_made_by_users=False).replace("## ", "### ").replace("#### ", "### "),
            helper=_function("##", "run_background_job", run_background_job),
            options=table(["Option", "Type"], _options()),
            many=_function("###", "run_background_jobs", run_background_jobs),
            call=_class(Call, is_made_by_users=True).replace("## ", "### ", 1),
            batch=_class(EnqueuedBatch, is_made_by_users=False).replace("## ", "### ", 1)
            + "\n"
            + _class(BatchHandle, is_made_by_users=False).replace("## ", "### "),
            client=_class(
                JobClient,
                is_made_by_users=True,
                parts_of_it=[JobCalls, ScheduleCalls, BatchCalls, HoldCalls, QueueCalls],
            ),
            filters=_text(JobFilters.__doc__ or ""),
            bulk="\n".join(
                _function("###", name, one) for name, one in vars(BulkCalls).items() if inspect.isfunction(one)
            )
            + "\n"
            + _class(BulkHandle, is_made_by_users=False).replace("### ", "#### ").replace("## `", "### `", 1),
            handle=_class(JobHandle, is_made_by_users=False),
            errors=table(["Error", "When"], _errors()),
        ),
    )
