"""A small shop with work to do in the background."""
