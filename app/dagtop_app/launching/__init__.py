"""From a graph file to an engine that carries it out, and what is said when that has ended."""
