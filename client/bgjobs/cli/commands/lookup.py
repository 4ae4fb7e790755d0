"""Turns the words by which a user means jobs into ids, and asks the API for the latest jobs where that is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.cli.arguments import job_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.client.job_client import JobClient
    from bgjobs.wire import Job


def ids(client: JobClient, words: Sequence[str]) -> list[str]:
    """The ids of the jobs that are meant, each once. The latest jobs are asked for at most once.

    Raises:
        UsageError: if a word is too short, or fits several jobs.
        NoJobError: if a word fits none of the latest jobs.
    """
    known: list[Job] | None = None

    def latest() -> list[Job]:
        nonlocal known
        if known is None:
            known = []
            cursor = None
            while len(known) < job_ids.LOOKED_AT:
                page = client.list(limit=job_ids.LOOKED_AT, cursor=cursor)
                known.extend(page.items)
                cursor = page.next_cursor
                if cursor is None:
                    break
        return known

    return list(dict.fromkeys(job_ids.resolve(word, latest) for word in words))
