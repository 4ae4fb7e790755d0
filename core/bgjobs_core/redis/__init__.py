"""Everything that talks to Redis directly: its address and credentials, the connection, and the errors."""
