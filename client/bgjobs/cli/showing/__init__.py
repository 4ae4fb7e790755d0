"""How jobs and queues are printed on a terminal, and how a job is followed to its end."""
