"""What bounds a loss, told in words: stop-losses, limits, and what is at stake beside what may be.

Money and prices are plain decimal texts.
"""

from decimal import Decimal

from bots.models import Bot
from bots.reports import risk
from bots.reports.guards import CENT, Row, names, text_of
from market.models import Instrument, Price
from market.types import plain
from risk import policy


def stop_losses() -> list[Row]:
    """How far each bot's price is above its stop-loss, in percent; nearest first."""
    prices = dict(Price.objects.values_list("symbol", "last"))
    ticks = dict(Instrument.objects.values_list("symbol", "tick"))
    rows = []
    for bot in Bot.objects.exclude(config=None).select_related("config"):
        last, stop = prices.get(bot.symbol), bot.config.stop_loss
        away = None if not last or stop is None else (1 - stop / last) * 100
        rows.append(
            {
                "bot": bot,
                "tick": plain(ticks[bot.symbol]) if bot.symbol in ticks else "",
                "last": text_of(last),
                "stop_loss": text_of(stop),
                "away": None if away is None else plain(away.quantize(CENT)),
                "take_profit": text_of(bot.config.take_profit),
                "runs": bot.state != Bot.State.STOPPED,
            }
        )
    return sorted(rows, key=lambda row: Decimal(row["away"] or 1000))


def limits() -> list[Row]:
    """Every threshold of the policy; shares are told in percent."""
    return [_limit(row) for row in risk.limits(policy.current())]


def _limit(row: Row) -> Row:
    value = Decimal(row["value"])
    return {
        "name": row["label"].capitalize().replace("Api", "API").replace("Btc", "BTC"),
        "value": plain((value * 100).normalize() if row["is_share"] else value),
        "unit": "%" if row["is_share"] else "",
        "of": row["help"],
    }


def stakes() -> list[Row]:
    """What is at stake beside what may be: the account, its pairs, its bots."""
    told = risk.exposures(policy.current())
    called = names()
    bots = dict(Bot.objects.values_list("slug", "name"))
    total = told["total"]
    rows = [("All bots", total)]
    rows += [(called.get(f"pair:{pair['symbol']}", pair["symbol"]), pair) for pair in told["pairs"]]
    rows += [(f"Bot {bots[bot['bot']]}", bot) for bot in told["bots"]]
    orders = [("Orders open", total["orders"], total["orders_limit"])]
    orders += [("Orders sent in a minute", total["sent_in_a_minute"], total["sent_limit"])]
    return [
        _stake(name, row["used"], row["limit"], "money", row["share"]) for name, row in rows
    ] + [
        _stake(name, str(used), str(limit), "count", plain(Decimal(used) / limit))
        for name, used, limit in orders
    ]


def _stake(name: str, used: str, limit: str, kind: str, share: str) -> Row:
    full = Decimal(share) >= 1
    return {
        "name": name,
        "used": used,
        "limit": limit,
        "kind": kind,
        "share": share,
        "tone": "warn" if full else "ok",
        "word": "Full" if full else "Within",
    }
