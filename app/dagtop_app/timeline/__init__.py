"""What has been and what is to come of a run, over time. Pure."""
