"""What is logged of an error: where it happened, and never what the variables held."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import logging
import structlog
from bgjobs_core.log_setup import configure

configure("info", {form!r})

def fails():
    password = "a secret " + "of somebody"
    raise ValueError(len(password))

for log in (structlog.get_logger("ours"), logging.getLogger("theirs")):
    try:
        fails()
    except ValueError:
        log.exception("it failed")
"""


@pytest.mark.parametrize("form", ["text", "json"])
def test_tracebacks_have_no_local_variables(form: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(form=form)], capture_output=True, text=True, check=True)
    assert done.stderr.count("ValueError: 20") == 2
    assert "in fails" in done.stderr
    assert "a secret of somebody" not in done.stderr
