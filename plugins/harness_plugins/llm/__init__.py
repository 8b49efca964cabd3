"""Asking language models: values, the engine with its cache and limits, and the ways to send."""
