"""The table of tasks, the side of one task, and why it is as it is. Pure."""
