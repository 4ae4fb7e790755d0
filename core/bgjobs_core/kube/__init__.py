"""The one door to the Kubernetes API: the connection, its objects and errors, and what we must be allowed."""
