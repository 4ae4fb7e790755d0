"""What runs in a job's pod: the supervisor (`python -m bgjobs.runner`) and its child, which runs the job's code.

Only the standard library is imported, and no more of it than is needed: every import makes the start of every job
slower.
"""
