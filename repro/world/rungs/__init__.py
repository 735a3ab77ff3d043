"""The single rungs of the ladder of evidence that need more than a question to the agent."""
