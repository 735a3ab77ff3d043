"""What a run keeps beside its store: the load as it was, and the evidence of its trials."""
