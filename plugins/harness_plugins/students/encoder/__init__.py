"""A pretrained encoder with a head: the student itself."""
