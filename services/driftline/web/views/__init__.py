"""What stands on each page, gathered from the store."""
