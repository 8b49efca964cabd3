"""The method: rounds of annotating, training and selecting, and what prepares them."""
