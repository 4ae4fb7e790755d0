"""What is typed behind `bgjobs`: parameters of a job, ids, options that all commands share, and completion."""
