"""Writes down what every greenlet and thread of the cell is parked on, by means that work in a frozen process too."""
