"""The pages of what is done with all jobs that a filter means: its preview, and how far it is."""
