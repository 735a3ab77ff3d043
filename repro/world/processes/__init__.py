"""Child processes: the one door that starts and ends them, and what is known of them from outside."""
