"""From a plan to a drawing of it: what is drawn as one, at which scale, with which words."""
