"""Whether the operator is well, what it may do, and where it tells so."""
