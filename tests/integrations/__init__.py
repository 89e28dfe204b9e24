"""Tests of the outside services: TradingView, Notion, notifications, and the way out to them."""
