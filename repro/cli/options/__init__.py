"""What the commands take, and what they make of it."""
