"""Evidence of a running cell, from the cheapest look to the dearest."""
