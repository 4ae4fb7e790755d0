"""The pages of schedules: all of them, and one."""
