"""What runs beside a process under its interpreter, to learn where the fields of its objects lie; see ``main.py``."""
