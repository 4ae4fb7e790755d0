"""A package, so that what its fixtures hold (a browser, jobs that run) ends with it."""
