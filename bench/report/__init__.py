"""Tables and pictures of results, for the docs."""
