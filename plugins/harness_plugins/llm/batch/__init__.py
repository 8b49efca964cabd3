"""A vendor's batch API."""
