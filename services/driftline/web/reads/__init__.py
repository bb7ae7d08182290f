"""What the pages ask of the store."""
