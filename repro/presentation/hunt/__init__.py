"""What is said of a bisection and of a blame: the answer in words, as a document, as a picture."""
