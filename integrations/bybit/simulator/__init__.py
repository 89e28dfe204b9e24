"""A server on loopback that speaks Bybit v5 and fills orders against a price tape."""
