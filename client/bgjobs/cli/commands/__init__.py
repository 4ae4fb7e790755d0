"""The subcommands. Each is a function of a session and of its own options that returns an exit code (None: 0)."""
