"""Labels for tools in which people correct them, and what people said there, back."""
