"""Known causes: whether one fits what was seen, and which ones a set of packages can have."""
