"""Escalations as an inbox. Pure."""
