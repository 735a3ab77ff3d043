"""Trials on the workers of a dask cluster: a pipe into the store and nothing more."""
