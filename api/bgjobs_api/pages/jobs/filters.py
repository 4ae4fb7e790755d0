"""The filters of the jobs list: from a query string, and back into one that is always spelled the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import urlencode

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from bgjobs.job_spec import LabelName
from bgjobs.vocabulary import Phase, State, state_and_phase
from bgjobs_api.http.callers import MOST_NAMESPACES
from bgjobs_api.pages.shared import states
from bgjobs_core.actions import listing
from bgjobs_core.jobs.ids import is_stored_id


def _state(name: str) -> str:
    if name not in states.NAMES:
        raise ValueError(f"must be one of {', '.join(sorted(states.NAMES))}")
    return name


def _stored_id(text: str) -> str:
    if not is_stored_id(text):
        raise ValueError("must be the id of a batch")
    return text


def _spaces_off(text: str | None) -> str | None:
    return (text or "").strip() or None


class NamespacesQuery(BaseModel):
    """Which namespaces; a name that is not here is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")

    ns: list[LabelName] = Field(default_factory=list[LabelName], max_length=MOST_NAMESPACES)


class JobsQuery(NamespacesQuery):
    """Which jobs to list."""

    state: Annotated[str, AfterValidator(_state)] | None = None
    queue: LabelName | None = None
    cls: Annotated[Annotated[str, StringConstraints(max_length=253)] | None, AfterValidator(_spaces_off)] = Field(
        default=None, alias="class"
    )
    batch: Annotated[str, AfterValidator(_stored_id)] | None = None
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None


@dataclass(frozen=True)
class Choice:
    """What is filtered by, without where in the list one is."""

    ns: tuple[str, ...] = ()
    state: str | None = None
    queue: str | None = None
    cls: str | None = None
    batch: str | None = None

    @property
    def url(self) -> str:
        """The address of the list with these filters."""
        return self.page_url(None)

    @property
    def cleared(self) -> str:
        """The address of the list of the same namespaces without any filter."""
        return Choice(self.ns).url

    def page_url(self, cursor: str | None) -> str:
        """The address of the page of the list that begins behind a cursor."""
        pairs = [("ns", one) for one in self.ns]
        pairs += [(name, value) for name, value in self._named() if value is not None]
        if cursor is not None:
            pairs.append(("cursor", cursor))
        return "/jobs" + (f"?{urlencode(pairs)}" if pairs else "")

    def _named(self) -> tuple[tuple[str, str | None], ...]:
        return (("state", self.state), ("queue", self.queue), ("class", self.cls), ("batch", self.batch))

    @property
    def active(self) -> tuple[tuple[str, str, str], ...]:
        """Filters that are set, as (key, value, URL without it); namespaces are chosen elsewhere."""
        without = {
            "state": replace(self, state=None),
            "queue": replace(self, queue=None),
            "class": replace(self, cls=None),
            "batch": replace(self, batch=None),
        }
        return tuple((name, value, without[name].url) for name, value in self._named() if value is not None)

    @property
    def record_state(self) -> State | None:
        """The state in the store that is looked for; that of a phase is launched."""
        return None if self.state is None else state_and_phase(self.state)[0]

    @property
    def phase(self) -> Phase | None:
        """The phase of launched jobs that is looked for, if it is one."""
        return None if self.state is None else state_and_phase(self.state)[1]

    def looked_for(self, namespaces: tuple[str, ...]) -> listing.Filter:
        """The same filters for `listing.page`, in these namespaces."""
        return listing.Filter(namespaces, self.record_state, self.queue, self.cls, self.phase)


def choice(query: JobsQuery) -> Choice:
    """The filters that a query string asks for."""
    return Choice(tuple(dict.fromkeys(query.ns)), query.state, query.queue, query.cls, query.batch)
