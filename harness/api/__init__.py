"""The Python API: what the commands do, as typed functions that print nothing unasked."""
