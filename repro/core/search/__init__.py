"""Finding one thing among many: the first bad release, the guilty packages, the smallest reproducer."""
