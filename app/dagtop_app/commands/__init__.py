"""A module for the work of each command of `dagtop`."""
