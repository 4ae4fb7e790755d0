"""**Measurements**: how fast bgjobs is, beside what limits it and beside programs of its kind.

`make bench` runs all of them, `make bench ONLY=store` one. Each benchmark is a module in `measures/` that says in its
docstring what is measured, against what, and what arithmetic says that it should be; `catalogue.py` names them all.
Every figure is taken in turns with the figure that it stands beside (`turns.py`), in the same run and on the same
machine. `peers/` has a door for each program of others, `subjects/` starts what is measured, and `report/` writes
tables and pictures.
"""
