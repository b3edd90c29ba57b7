"""Runs that were kept, in the console: the list of them, and one that is played."""
