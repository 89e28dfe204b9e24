"""What keeps a bot within its bounds, and what stops it."""
