"""Environments with chosen packages: the cache, the interpreters, and what the indexes have."""
