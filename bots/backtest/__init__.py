"""A grid replayed on recorded candles, and what is told of it."""
