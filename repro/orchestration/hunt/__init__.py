"""A hunt over versions: the first release that hangs, and which of several packages is to blame."""
