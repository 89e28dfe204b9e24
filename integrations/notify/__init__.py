"""Notifications: Telegram, Slack, Discord, mail and others."""
