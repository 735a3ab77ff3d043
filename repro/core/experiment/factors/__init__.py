"""What can be varied: each factor with its levels, its default and who reads it."""
