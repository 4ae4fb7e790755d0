"""Measurements of bgjobs, each beside what it could be at best in the same run."""
