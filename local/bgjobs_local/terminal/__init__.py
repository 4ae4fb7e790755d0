"""What `bgjobs dev` prints: what all jobs print and what becomes of them, on one terminal."""
