"""What the runner, the client and the server must spell alike.

The standard library alone is imported here: the runner reads this file at the start of every job.
"""

from __future__ import annotations

from typing import Final

# The runner's protocol: the server takes this number and the one before it.
PROTOCOL: Final = 1
PROTOCOL_HEADER: Final = "Bgjobs-Protocol"

# Audience of every token that the API accepts from a program or a runner.
AUDIENCE: Final = "bgjobs"

# Exit codes of the supervisor (the child's own exit code never passes through).
EXIT_SUCCESS: Final = 0
EXIT_FAILED: Final = 1  # error or timed_out: Kubernetes may retry
EXIT_REFUSED: Final = 64  # rejected, aborted or sent away: podFailurePolicy says FailJob
EXIT_WAIT: Final = 75  # told to wait, or the API was out of reach before start: podFailurePolicy says Ignore

# What `start` answers.
RUN: Final = "run"
DONE: Final = "done"
WAIT: Final = "wait"
GO_AWAY: Final = "go_away"

# What `beat` and `finish` answer.
CONTINUE: Final = "continue"
STOP: Final = "stop"
RECORDED: Final = "recorded"

# Environment of a job's container (set by the launcher).
ENV_URL: Final = "BGJOBS_URL"
ENV_TOKEN_FILE: Final = "BGJOBS_TOKEN_FILE"  # noqa: S105 - a name, not a secret
ENV_NAMESPACE: Final = "BGJOBS_NAMESPACE"
ENV_JOB_ID: Final = "BGJOBS_JOB_ID"
ENV_KUBE_UID: Final = "BGJOBS_KUBE_UID"
ENV_POD_UID: Final = "BGJOBS_POD_UID"
ENV_POD_NAME: Final = "BGJOBS_POD_NAME"

TOKEN_FILE: Final = "/var/run/secrets/bgjobs/token"  # noqa: S105 - a path, not a secret
TERMINATION_MESSAGE_FILE: Final = "/dev/termination-log"

# Limits, in bytes unless the name says otherwise.
MAX_JSON_BYTES: Final = 256 * 1024  # parameters, result
MAX_JSON_DEPTH: Final = 64
MAX_ERROR_BYTES: Final = 64 * 1024
MAX_CHUNK_BYTES: Final = 256 * 1024  # one piece of log in one beat, before compression
LOG_HEAD_BYTES: Final = 1024 * 1024  # what is kept of an attempt's log: its first and its last MiB
LOG_TAIL_BYTES: Final = 1024 * 1024
MAX_LINE_BYTES: Final = 8 * 1024  # a longer line is stored in pieces
MAX_TERMINATION_MESSAGE_BYTES: Final = 4096

BEAT_SECONDS: Final = 10.0
BEAT_SECONDS_WATCHED: Final = 1.0

# A line of a stored log is `<unix ms> <stream> <text>\n`. The stream is one of these letters; the upper
# case means that the line goes on in the next record.
STDOUT: Final = "o"
STDERR: Final = "e"
