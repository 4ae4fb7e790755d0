"""The command `bgjobs`: the API for a terminal. `pip install 'bgjobs[cli]'` brings what it needs."""
