"""What `bgjobs dev` prints: the lines of all jobs on one terminal."""
