"""Calls sent over a network: pace, retries, refusals."""
