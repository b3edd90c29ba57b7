"""Reports that are asked for, and the pictures in them."""
