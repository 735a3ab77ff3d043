"""Somebody's own command: its words, Locust's own options and files, the variables that a source reads."""
