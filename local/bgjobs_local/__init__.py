"""`bgjobs dev`: everything on one machine, without a cluster."""
