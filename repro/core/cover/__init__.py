"""Few rows that have every combination of so many levels: which combinations there are, the rows, and their proof."""
