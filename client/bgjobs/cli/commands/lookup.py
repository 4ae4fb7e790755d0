"""From words that mean jobs to their ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bgjobs.cli.arguments import job_ids

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bgjobs.client.job_client import JobClient
    from bgjobs.wire import Job


def ids(client: JobClient, words: Sequence[str]) -> list[str]:
    """The ids that are meant; the latest jobs are asked for once at most."""
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
