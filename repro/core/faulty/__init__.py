"""The faulty combination: what can explain which cells hung, how likely each explanation is, and what would settle it."""
