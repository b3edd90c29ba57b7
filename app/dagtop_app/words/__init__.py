"""Commands in words, behind `:` and in `--plain`: parsed, completed, weighed."""
