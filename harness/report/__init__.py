"""Results put side by side."""
