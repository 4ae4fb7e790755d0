"""What runs in a job's pod: a supervisor (`python -m bgjobs.runner`) and its child, which runs the job's code.

Every job pays for each import here: the standard library alone, and no more of it than is needed.
"""
