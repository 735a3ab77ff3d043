"""What is shown while a run, a bisection or a blame goes on: a live view on a terminal, plain lines elsewhere."""
