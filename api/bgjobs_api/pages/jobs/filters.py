"""The filters of the jobs list: from a query string, and back into one that is always spelled the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Final, cast
from urllib.parse import urlencode

from pydantic import AfterValidator, Field, StringConstraints

from bgjobs.job_spec import LabelName  # noqa: TC001 - pydantic reads it
from bgjobs.vocabulary import Outcome, Phase, State, state_and_phase
from bgjobs_api.http import filter_words
from bgjobs_api.pages.shared import states
from bgjobs_api.pages.shared.namespaces import NamespacesQuery
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


def _when(text: str) -> str:
    filter_words.moment(text, 0)
    return text


def _labels(text: str) -> str:
    filter_words.labels(text)
    return text


_Name = Annotated[str, StringConstraints(min_length=1, max_length=253)]
_When = Annotated[str, StringConstraints(max_length=40), AfterValidator(_when)]


class JobsQuery(NamespacesQuery):
    """Which jobs to list."""

    state: Annotated[str, AfterValidator(_state)] | None = None
    queue: LabelName | None = None
    cls: Annotated[Annotated[str, StringConstraints(max_length=253)] | None, AfterValidator(_spaces_off)] = Field(
        default=None, alias="class"
    )
    batch: Annotated[str, AfterValidator(_stored_id)] | None = None
    outcome: Outcome | None = None
    error_type: _Name | None = None
    who: _Name | None = None
    schedule: _Name | None = None
    request: _Name | None = None
    label: (
        Annotated[str, StringConstraints(max_length=filter_words.MAX_LABELS_LENGTH), AfterValidator(_labels)] | None
    ) = None
    since: _When | None = None
    until: _When | None = None
    cursor: Annotated[str, StringConstraints(max_length=200)] | None = None


# The filters beside the namespaces: the name of each in a URL, and in a `Choice`.
_FILTERS: Final = {
    "state": "state", "queue": "queue", "class": "cls", "batch": "batch", "outcome": "outcome",
    "error_type": "error_type", "who": "who", "schedule": "schedule", "request": "request", "label": "label",
    "since": "since", "until": "until",
}  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """What is filtered by, without where in the list one is."""

    ns: tuple[str, ...] = ()
    state: str | None = None
    queue: str | None = None
    cls: str | None = None
    batch: str | None = None
    outcome: Outcome | None = None
    error_type: str | None = None
    who: str | None = None
    schedule: str | None = None
    request: str | None = None
    label: str | None = None
    since: str | None = None
    until: str | None = None

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
        return tuple((name, getattr(self, field)) for name, field in _FILTERS.items())

    @property
    def active(self) -> tuple[tuple[str, str, str], ...]:
        """Filters that are set, as (key, value, URL without it); namespaces are chosen elsewhere."""
        return tuple(
            (name, value, self._without(_FILTERS[name]).url) for name, value in self._named() if value is not None
        )

    def _without(self, field: str) -> Choice:
        return replace(self, **cast("dict[str, Any]", {field: None}))

    def said(self, text: str) -> Choice | None:
        """The choice with what was typed into the search field: `outcome:error who:ada`, and perhaps a class.

        Returns:
            None if nothing of this kind was typed.

        Raises:
            ValidationError: a value is not what it should be.
        """
        words = [word.partition(":") for word in text.split()]
        named = {name: value for name, colon, value in words if colon and name in _FILTERS}
        if not named:
            return None
        others = " ".join(f"{name}{colon}{value}" for name, colon, value in words if not (colon and name in _FILTERS))
        before = {name: value for name, value in self._named() if value is not None and name != "class"}
        asked = JobsQuery.model_validate({**before, **({"class": others} if others else {}), **named})
        return choice(asked.model_copy(update={"ns": list(self.ns)}))

    @property
    def record_state(self) -> State | None:
        """The state in the store that is looked for; that of a phase is launched."""
        return None if self.state is None else state_and_phase(self.state)[0]

    @property
    def phase(self) -> Phase | None:
        """The phase of launched jobs that is looked for, if it is one."""
        return None if self.state is None else state_and_phase(self.state)[1]

    def looked_for(self, namespaces: tuple[str, ...], now_ms: int) -> listing.Filter:
        """The same filters for `listing.page`, in these namespaces."""
        return listing.Filter(
            namespaces,
            self.record_state,
            self.queue,
            self.cls,
            self.phase,
            outcome=self.outcome,
            since=None if self.since is None else filter_words.moment(self.since, now_ms),
            until=None if self.until is None else filter_words.moment(self.until, now_ms),
            who=self.who,
            schedule=self.schedule,
            request=self.request,
            labels=() if self.label is None else filter_words.labels(self.label),
            error_type=self.error_type,
        )


def choice(query: JobsQuery) -> Choice:
    """The filters that a query string asks for."""
    return Choice(tuple(dict.fromkeys(query.ns)), **{field: getattr(query, field) for field in _FILTERS.values()})
