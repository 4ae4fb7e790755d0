"""Who sends a request, by the token that it carries, and what that caller may do, by Kubernetes' own rules."""
