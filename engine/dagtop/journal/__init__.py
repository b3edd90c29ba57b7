"""Runs that outlive the process: SQLite, and memory for tests."""
