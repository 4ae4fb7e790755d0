"""**The leader's loops**: each decides purely what is to be done, and then does it."""
