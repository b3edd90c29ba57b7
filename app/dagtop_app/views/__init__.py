"""The views of the console, one file each. `listed` has them all; each is imported when it is first shown."""
