"""From files and foreign objects to graphs, every problem with file and line."""
