"""The engine at work: it carries out what the core decides."""
