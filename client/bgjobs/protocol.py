"""Names, numbers and limits that the runner, the client and the server must have in common.

Only the standard library is imported here, because the runner reads this file at the start of every job.
"""

from __future__ import annotations

from bgjobs.light_typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

# The version of the runner's protocol; the server accepts this one and the one before it.
PROTOCOL: Final = 1
PROTOCOL_HEADER: Final = "Bgjobs-Protocol"

# The audience that every token of a program or a runner must have.
AUDIENCE: Final = "bgjobs"

# Exit codes of the supervisor (the child's own exit code never passes through).
EXIT_SUCCESS: Final = 0
EXIT_FAILED: Final = 1  # error, timed_out, or a result that cannot be delivered: Kubernetes may retry
EXIT_REFUSED: Final = 64  # rejected, aborted, or not allowed to run the job: podFailurePolicy says FailJob
EXIT_WAIT: Final = 75  # told to wait or to stop, or no API to ask before the start: podFailurePolicy says Ignore
# The exit code of a child that could not report how its call has ended.
EXIT_NO_PIPE: Final = 79

# The actions that the API may answer to `start`.
RUN: Final = "run"
DONE: Final = "done"
WAIT: Final = "wait"
GO_AWAY: Final = "go_away"

# The actions that the API may answer to `parent` and `parent-batch`, besides GO_AWAY.
RESULT: Final = "result"
JOBS: Final = "jobs"

# The actions that the API may answer to `beat` and `finish`, besides GO_AWAY.
CONTINUE: Final = "continue"
STOP: Final = "stop"
RECORDED: Final = "recorded"

# The code of the problem (status 403) by which the API says that this pod may not speak for the job.
FOREIGN_POD: Final = "foreign_pod"

# Environment variables of a job's container, which the launcher sets.
ENV_URL: Final = "BGJOBS_URL"
ENV_TOKEN_FILE: Final = "BGJOBS_TOKEN_FILE"  # noqa: S105 - a name, not a secret
ENV_NAMESPACE: Final = "BGJOBS_NAMESPACE"
ENV_JOB_ID: Final = "BGJOBS_JOB_ID"
ENV_KUBE_UID: Final = "BGJOBS_KUBE_UID"
ENV_POD_UID: Final = "BGJOBS_POD_UID"
ENV_POD_NAME: Final = "BGJOBS_POD_NAME"
# Within so many seconds from its start a pod may run attempts, each with the whole of its timeout.
ENV_SERIES_SECONDS: Final = "BGJOBS_SERIES_SECONDS"

TOKEN_FILE: Final = "/var/run/secrets/bgjobs/token"  # noqa: S105 - a path, not a secret
TERMINATION_MESSAGE_FILE: Final = "/dev/termination-log"

# For so long the code of a job may ask to be tried again later, and a pod waits for that by itself.
MAX_RETRY_AFTER_SECONDS: Final = 86_400.0
SERIES_WAIT_SECONDS: Final = 3600

# Limits, in bytes unless the name says otherwise.
MAX_JSON_BYTES: Final = 256 * 1024  # parameters, result
MAX_JSON_DEPTH: Final = 64
MAX_BATCH_JOBS: Final = 1000  # jobs that one request may ask for
MAX_BATCH_BYTES: Final = 8 * 1024 * 1024  # its body
MAX_NEEDS: Final = 100  # jobs and batches that one job may need
MAX_ERROR_BYTES: Final = 64 * 1024
MAX_CHECKPOINT_BYTES: Final = 64 * 1024
MAX_STACK_BYTES: Final = 64 * 1024  # the stacks of a running job, as text
MAX_CHUNK_BYTES: Final = 256 * 1024  # one piece of log in one beat, before compression
LOG_HEAD_BYTES: Final = 1024 * 1024  # of an attempt's log, the first and the last MiB are kept
LOG_TAIL_BYTES: Final = 1024 * 1024
MAX_LINE_BYTES: Final = 8 * 1024  # a longer line is stored in pieces
MAX_TERMINATION_MESSAGE_BYTES: Final = 4096

# A record of a stored log is `<unix ms> <stream> <text>\n`. The stream is one of these letters; in upper case it means
# that the line continues in the next record of the stream.
STDOUT: Final = "o"
STDERR: Final = "e"
