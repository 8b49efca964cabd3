"""Runs as one HTML page: figures, their data, and the examples behind them."""
