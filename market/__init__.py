"""What the market is and says."""
