"""One trial, a run over cells, a hunt over versions."""
