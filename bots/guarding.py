"""The guards at work: bots' state read for risk's pure rules, and what follows from them."""

from bots.models import Bot
from integrations.bybit.session import Outcome, Told
from risk.calls import Tally

BTC_FILTERED = "btc-filtered"  # the subject of every bot that buys only while BTC is stable


def subjects_of(bot: Bot) -> list[str]:
    """The subjects whose halts and gates concern a bot."""
    found = [bot.subject, f"pair:{bot.symbol}"]
    if bot.config is not None and bot.config.btc_filter:
        found.append(BTC_FILTERED)
    return found


def counted_in(tally: Tally) -> Told:
    """Have a gateway's outcomes counted; too many requests and business refusals are no failures.

    What was refused for reasons of business, or kept back, says nothing of the exchange's health.
    """

    def told(_: str, outcome: Outcome) -> None:
        tally.note(failed=outcome is Outcome.FAILED)

    return told
