"""The world: processes, environments, releases, backends, faults, stacks and the store."""
