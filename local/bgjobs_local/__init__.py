"""Local mode, the command `bgjobs dev`: everything that runs jobs, on one machine and without a cluster."""
