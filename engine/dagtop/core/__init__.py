"""The pure core: values, rules and state machines, with no clock, dice, I/O or event loop."""
