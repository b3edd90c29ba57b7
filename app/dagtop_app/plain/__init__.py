"""A run in lines: for pipes, for people without the console, for screen readers."""
