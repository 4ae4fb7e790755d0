"""The commands: each is a function of a session and its own options, and returns an exit code (none: 0)."""
