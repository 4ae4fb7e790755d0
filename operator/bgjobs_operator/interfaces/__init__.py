"""What the loops know of the world outside. A cluster and local mode implement these."""
