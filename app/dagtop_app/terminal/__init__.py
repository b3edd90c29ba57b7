"""The terminal that the console is on, and how it is left as it was."""
