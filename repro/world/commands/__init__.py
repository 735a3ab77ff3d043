"""Somebody's own command on this machine: its interpreter, the folder where it was typed, the shell's variables."""
