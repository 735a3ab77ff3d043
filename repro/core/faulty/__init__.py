"""The faulty combination: what can explain which cells hung, how likely each explanation is, what would settle it."""
