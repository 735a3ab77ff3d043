"""What amplified trials show beside natural ones."""
