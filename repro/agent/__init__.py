"""What runs inside a cell, by path, in the target's interpreter; see ``boot.py``. Outside, only ``layout`` is read."""
