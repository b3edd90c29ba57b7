"""Where the code of a task runs: one file for each place."""
