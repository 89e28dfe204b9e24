"""What is written down of the account, and whether it agrees with the exchange."""
