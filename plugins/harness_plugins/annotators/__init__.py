"""Built-in annotators: who labels the pool."""
