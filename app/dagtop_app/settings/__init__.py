"""What a person has set: places, keys, colours."""
