"""How jobs, queues, logs and durations are shown on a terminal, or printed for programs."""
