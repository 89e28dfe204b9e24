"""Tests of the backtest, its oracle, and the candle files they run on."""
