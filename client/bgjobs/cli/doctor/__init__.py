"""`bgjobs doctor`: what may be wrong between a person and a job that runs, and what mends it."""
