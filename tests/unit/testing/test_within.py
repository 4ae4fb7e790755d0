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


def test_job_code_goes_on_at_a_checkpoint() -> None:
    with within_job(attempt=2, checkpoint={"row": 2, "at": (1,)}) as job:
        assert current_job().checkpointed == {"row": 2, "at": [1]}
        assert Sample().go_on(4, 9) == 2
    assert job.checkpoint == {"row": 4}

    with within_job() as job:
        assert current_job().checkpointed is None
        with pytest.raises(ValueError, match="checkpoint is a set"):
            current_job().checkpoint({1})
    assert job.checkpoint is None


@pytest.mark.parametrize("checkpoint", [{1}, "x" * 65_535], ids=["a set", "too large"])
def test_what_cannot_be_a_checkpoint_is_refused(checkpoint: object) -> None:
    with pytest.raises(ValueError, match="checkpoint"), within_job(checkpoint=checkpoint):
        raise AssertionError
