"""A job that does what a test says, when it says it."""
