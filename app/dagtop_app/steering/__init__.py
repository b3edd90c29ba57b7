"""What keys and words do to a run: what would be lost, what is asked before, what takes it back. Pure."""
