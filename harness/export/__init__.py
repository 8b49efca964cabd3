"""What leaves a finished run: labels, answers, models."""
