"""What people and programs read, made from the stored run alone."""
