"""The command `bgjobs`, by which people use the API from a terminal. `pip install 'bgjobs[cli]'` installs it."""
