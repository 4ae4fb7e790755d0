"""Which namespaces a page shows, in its query string, its picker and its links."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from bgjobs.job_spec import LabelName
from bgjobs_api.http.callers import MOST_NAMESPACES


class NamespacesQuery(BaseModel):
    """Which namespaces; a name that is not here is an error, not ignored."""

    model_config = ConfigDict(extra="forbid")

    ns: list[LabelName] = Field(default_factory=list[LabelName], max_length=MOST_NAMESPACES)


@dataclass(frozen=True)
class Chosen:
    """The namespaces that somebody has chosen on a page without other filters; none: all that may be listed."""

    ns: tuple[str, ...] = ()
    active: tuple[tuple[str, str, str], ...] = ()  # the picker keeps other filters of a page, too

    @property
    def url(self) -> str:
        """The address of the list of jobs of these namespaces."""
        return self.page_url("/jobs")

    def page_url(self, path: str, **more: str) -> str:
        """The address of a page of these namespaces."""
        pairs = [("ns", one) for one in self.ns] + list(more.items())
        return path + (f"?{urlencode(pairs)}" if pairs else "")
