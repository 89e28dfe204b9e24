"""TradingView: alerts that come in, and the Pine scripts that send them."""
