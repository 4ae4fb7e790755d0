"""Everything that talks to the Kubernetes API: the connection, its objects and errors, and the permissions needed."""
