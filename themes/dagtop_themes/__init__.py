"""The looks of the console: data only."""
