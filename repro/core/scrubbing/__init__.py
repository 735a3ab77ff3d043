"""What must not reach a reader: control sequences and credentials."""
