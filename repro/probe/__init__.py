"""What runs in a process of its own under another process's interpreter, to learn where the fields of its objects lie; see ``main.py``."""
