"""Notion: the trade journal and the daily portfolio."""
