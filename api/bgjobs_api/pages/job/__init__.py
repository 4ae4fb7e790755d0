"""The page of one job: its attempts, its log, its error, and what can be done with it."""
