"""The guards at work: bots' state read for risk's pure rules, and what follows from them."""

from bots.models import Bot

BTC_FILTERED = "btc-filtered"  # the subject of every bot that buys only while BTC is stable


def subjects_of(bot: Bot) -> list[str]:
    """The subjects whose halts and gates concern a bot."""
    found = [bot.subject, f"pair:{bot.symbol}"]
    if bot.config is not None and bot.config.btc_filter:
        found.append(BTC_FILTERED)
    return found
