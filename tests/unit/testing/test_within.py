"""Job code that a test calls itself."""

from __future__ import annotations

import pytest

from bgjobs import NotInJobError, current_job
from bgjobs.testing import within_job
from bgjobs.wire import Progress

from .sample_jobs import Sample


def test_job_code_is_called_directly() -> None:
    with within_job(attempt=2, parameters=(1,)) as job:
        assert Sample().until(2) == "at last"
        assert (current_job().attempt, current_job().parameters) == (2, [1])
        assert not current_job().is_stopping()
        Sample().steps(3)

    assert job.progress == Progress(done=3, total=3, message="step 3")
    with pytest.raises(NotInJobError):
        current_job()


def test_job_code_that_is_told_to_stop() -> None:
    with within_job(stopping=True):
        assert current_job().is_stopping()


def test_an_attempt_beyond_the_usual_number() -> None:
    with within_job(attempt=10):
        assert (current_job().attempt, current_job().max_retries) == (10, 10)
