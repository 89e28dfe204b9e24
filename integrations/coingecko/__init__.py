"""CoinGecko's overview of the whole market: for people to look at, never for a decision."""
