"""Makes docs/why.md: each code of why a job does not run, and the line that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.vocabulary import WhyNot
from bgjobs_core.jobs.remedies import TABLE
from pages import header, table

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = """\
{header}
# Why a job does not run

```sh
bgjobs why last                         # or an id, or a part of one
bgjobs why last -o json | jq -r .why.remedy
```

The API says it at `GET /api/v1/jobs/{{id}}/why`, the clients and handles by `.why()`; the page of a job and
`bgjobs show` have the same. The answer is of the moment: it is derived when it is asked for.

| Field | What it is |
| --- | --- |
| `gate` | what the job stands before, of all that a job passes on its way to its code |
| `code` | the cause, as a stable word for programs; a newer server may know more of them |
| `message` | the cause in words: a sentence, or the words of Kubernetes as they are |
| `since` | when it came to stand there |
| `next_try_at` | when it goes on by itself |
| `fails_at` | when the job is given up: the queue's pending deadline, or an hour after its queue was deleted |
| `remedy` | what mends it: a command to copy, or "nothing" and why |

A time is absent where it is not known. `fails_at` is known to those who may list queues. For a job that runs, or has
ended, the answer is 200 too: `why` is null, and `message` says what the job does.

## The codes

{codes}
A request that is not a job yet says why in its own status: see [requests.md](requests.md#a-request-that-waits).
"""


_NAMES = ("id", "namespace", "queue", "kube_job", "kube_uid", "account", "priority_class")


def files() -> Iterator[tuple[str, str]]:
    """The page."""
    names = {name: f"{{{name}}}" for name in _NAMES}
    rows = [
        (f"`{code}`", TABLE[code].when, _shown(TABLE[code].remedy.format(**names, at=" when it is due")))
        for code in WhyNot
    ]
    codes = table(("Code", "When", "What mends it"), rows)
    yield "docs/why.md", PAGE.format(header=header("core/bgjobs_core/jobs/remedies.py"), codes=codes)


def _shown(remedy: str) -> str:
    return remedy if remedy.startswith("nothing") else f"`{remedy}`"
