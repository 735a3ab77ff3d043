"""What comes with the program: scenarios and known causes."""
