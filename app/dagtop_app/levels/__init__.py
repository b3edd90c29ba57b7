"""The levels of a graph of graphs. Pure."""
