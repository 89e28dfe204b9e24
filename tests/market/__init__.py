"""The market: its candles, complete and quick to read."""
