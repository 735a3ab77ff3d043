"""What is shown while a run, a bisection or a blame is under way: a live view on a terminal, plain lines elsewhere."""
