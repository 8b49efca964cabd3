"""Built-in selectors: whose label to trust, what to show, what to ask next."""
