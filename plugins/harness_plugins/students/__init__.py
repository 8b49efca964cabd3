"""Built-in students: who learns from the labels."""
