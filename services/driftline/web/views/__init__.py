"""The content of each page, read from the store."""
