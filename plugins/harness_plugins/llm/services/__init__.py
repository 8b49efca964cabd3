"""The built-in services, one value each."""
