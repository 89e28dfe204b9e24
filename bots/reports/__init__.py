"""What the bots did, hold and earn, read for pages, socket and API."""
