"""What the processes of an installation report about themselves, as values."""
