"""Whether the operator is well: its endpoints, its report in Redis, and the permissions that it needs."""
