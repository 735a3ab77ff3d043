"""From stacks to what a hang is: groups, fingerprint, known cause."""
