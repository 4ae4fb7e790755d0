"""Schemathesis against the document of the API: made-up requests to the port of programs, on a real server.

A process of its own, run by `test_schema.py`: the plug-in that Schemathesis brings for pytest has warnings and settings
of its own. Each answer must be one that the document describes, and none a 5xx.
"""

from __future__ import annotations

import asyncio
import logging
import sys

import structlog

from bgjobs_api import front_door
from tests.api.doors import open_doors, web_token
from tests.api.test_getting_in_by_hand import serving

EXAMPLES = "15"
SEED = "1"
SECONDS = 100


async def main() -> int:
    """The exit status of Schemathesis."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    async with (
        open_doors() as doors,
        serving({"programs": front_door.for_programs(doors.programs_app.state.deps)}) as ports,
    ):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "schemathesis.cli",
            "run",
            f"http://127.0.0.1:{ports['programs']}/api/openapi.json",
            f"--header=Authorization: Bearer {web_token()}",
            f"--max-examples={EXAMPLES}",
            f"--seed={SEED}",
            "--checks=not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
            "--generation-database=none",
            "--warnings=off",
            "--no-color",
            *sys.argv[1:],
        )
        return await asyncio.wait_for(process.wait(), SECONDS)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
