"""The robust training of an encoder."""
