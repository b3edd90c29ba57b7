"""The views of the console, one file each. `listed` has them all; none but the first is imported before the first paint."""
