"""Built-in augmenters: label-preserving variants of texts."""
