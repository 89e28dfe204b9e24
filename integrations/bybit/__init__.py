"""Bybit v5: the gateway, the streams, and our own double of the exchange."""
