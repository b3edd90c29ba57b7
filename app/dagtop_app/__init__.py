"""The console and the command line of dagtop."""
