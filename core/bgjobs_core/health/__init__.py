"""What the parts of an installation say about themselves."""
