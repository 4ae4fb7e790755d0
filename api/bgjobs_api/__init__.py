"""The HTTP API of bgjobs: for programs, and for the runners of jobs."""
