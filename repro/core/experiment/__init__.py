"""What is varied: an experiment file, the settings it may name, and the cells that come of them."""
