"""**The store**: all of bgjobs' data in Redis.

What changes the store is a *verb*: one file in `bgjobs_core/lua/`, which begins with a header that says what the verb
takes and replies (`header.py` has its grammar). `assembly.py` puts the scripts together, `scripts.py` runs them, and
`verbs.py`, generated from the headers, has a typed method for each. `store.py` has the whole: `Store`.
"""
