"""Real AWS: the account, a budget of requests, and what a run may leave behind."""
