"""One thing that is done with all jobs that a filter means: previewed, begun, and carried out step by step."""
