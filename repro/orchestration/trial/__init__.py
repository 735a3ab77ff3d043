"""One trial: the cell's process, what is seen of it, the evidence; ``trial.py`` is its table of contents."""
