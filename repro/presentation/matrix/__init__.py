"""What is said of a matrix of cells: its conclusion, its table, what timeouts are worth."""
