"""Where in a list a page begins, as callers hand it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs_api.http.problems import invalid
from bgjobs_core.actions import listing

if TYPE_CHECKING:
    from bgjobs_core.store.cells import Row


def row(text: str | None, giver: str = "an answer") -> Row | None:
    """The row behind which a page begins; None for the first page.

    Args:
        text: what was asked for.
        giver: what gives such texts, for the problem.

    Raises:
        ProblemError: status 422, with the field, if it is not one of ours.
    """
    if text is None:
        return None
    try:
        return listing.read_cursor(text)
    except ValueError as error:
        raise invalid("cursor", f"is not one that {giver} gave") from error
