"""What a run leaves on disk: its layout, its files, reading them back."""
