"""Makes docs/lifecycle.md: the diagram of a job's states and the tables of states and transitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.vocabulary import OWNED, TERMINAL, WAITING
from bgjobs_core.jobs.lifecycle import NEW, STATES, TRANSITIONS
from pages import code, header, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bgjobs.vocabulary import State

PAGE = """\
{header}
# The life of a job

```mermaid
{diagram}```

A *waiting* job holds nothing. An *owned* one holds a slot of its queue, from the moment that its KubeJob may exist
until it is known to be over. A *terminal* state never changes.

## States

The last two columns say which key of Redis ([redis.md](redis.md)) lists the jobs of a state, and by which field of the
record that list is ordered. A job leaves one list and enters the other in the same script that changes its state.

{states}
## Transitions

Each verb is one Lua script, which checks its guard before it writes anything. A transition that is not in this table
is refused by the store.

{transitions}"""


def group(state: State) -> str:
    """The name of the group that a state is in: `waiting`, `owned` or `terminal`."""
    named = {"waiting": WAITING, "owned": OWNED, "terminal": TERMINAL}
    return next(name for name, members in named.items() if state in members)


def diagram() -> str:
    """The diagram in Mermaid's language: one arrow for each pair of states, with every verb that leads along it."""
    verbs: dict[tuple[str, str], list[str]] = {}
    for row in TRANSITIONS:
        for source in sorted(row.sources):
            labels = verbs.setdefault(("[*]" if source == NEW else source, row.target.value), [])
            if row.verb not in labels:
                labels.append(row.verb)
    arrows = [f"    {source} --> {target}: {', '.join(labels)}\n" for (source, target), labels in verbs.items()]
    ends = [f"    {state.value} --> [*]\n" for state in sorted(TERMINAL)]
    return "".join(["stateDiagram-v2\n", *arrows, *ends])


def files() -> Iterator[tuple[str, str]]:
    """Yield the page docs/lifecycle.md."""
    states = [
        (code(row.state.value), group(row.state), row.meaning, row.moved_on_by, code(row.work_list), code(row.score))
        for row in STATES
    ]
    transitions = [
        (
            code(row.verb),
            ", ".join(code(source) for source in sorted(row.sources)),
            code(row.target.value),
            row.by,
            row.guard,
        )
        for row in TRANSITIONS
    ]
    page = PAGE.format(
        header=header("core/bgjobs_core/jobs/lifecycle.py"),
        diagram=diagram(),
        states=table(["State", "Group", "Meaning", "Who moves a job out of it", "Listed in", "By"], states),
        transitions=table(["Verb", "From", "To", "By", "Guard"], transitions),
    )
    yield "docs/lifecycle.md", page
