"""From samples of a trial to its verdict."""
