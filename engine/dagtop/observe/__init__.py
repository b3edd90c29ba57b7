"""Consumers of events: reports and logs."""
