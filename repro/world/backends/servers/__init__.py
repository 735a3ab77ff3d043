"""Backends behind which stands a process of ours: moto, MiniStack, and a server of the user's own."""
