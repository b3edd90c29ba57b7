"""A graph file that is read again, and one that runs at due times."""
