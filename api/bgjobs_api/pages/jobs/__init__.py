"""The list of jobs, with its filters and the numbers beside them."""
