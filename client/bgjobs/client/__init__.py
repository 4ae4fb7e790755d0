"""**Enqueueing** from a program: the helpers, the clients (sync and async) and their handles on jobs."""
