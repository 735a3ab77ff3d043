"""A run's folder: the store, its evidence, and the locustfile that was run."""
