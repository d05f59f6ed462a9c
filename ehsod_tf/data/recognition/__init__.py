"""A folder without flags: what is in it, in which forms, and how it would be read."""
