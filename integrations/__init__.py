"""Outside services: Bybit, TradingView, Notion, notifications."""
