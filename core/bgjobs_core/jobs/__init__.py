"""The job: what it is, the life that it has, whether it may be enqueued, and how it is shown. Nothing here does I/O."""
