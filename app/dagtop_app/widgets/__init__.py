"""The widgets of the console: they draw, and decide nothing."""
