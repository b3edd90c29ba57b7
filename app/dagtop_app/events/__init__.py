"""Events as the console tells them. Pure."""
