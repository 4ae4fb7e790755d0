"""Benchmarks that need the development cluster: `make cluster-up images`. They are run only when they are named."""
