"""What a request costs: its tokens, their prices, the budget."""
