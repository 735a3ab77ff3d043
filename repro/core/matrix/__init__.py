"""From cells' results to a conclusion: rates, schedule, what a timeout is worth."""
