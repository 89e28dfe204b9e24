"""Every guard in words: what trips it, what it does then, and how it clears.

The words hold the names of thresholds; `told` puts in what these stand at now.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from risk.guards import percent
from risk.models import Policy, ShareField

NO_BUYS, KILLS, ALARMS, SELLS = "withholds buys", "kill", "alarm", "sells and stops the bot"
GATE = " gate"  # of a coin, in the name of its guard


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of guard; `does` is what follows while, or when, it is tripped."""

    name: str
    trips: str
    does: str
    clears: str


KINDS = (
    Kind(
        "stop-loss",
        "last trade and best bid are both below the bot's level",
        SELLS,
        "when the bot runs again",
    ),
    Kind(
        "trailing stop",
        "last trade and best bid are both further below the highest price since the bot began "
        "than its trailing stop allows",
        SELLS,
        "when the bot runs again",
    ),
    Kind("exit", "a sale at the market takes more than 30 s", ALARMS, "when the bot has left"),
    Kind(
        "volatility",
        "the pair moved more than {breaker_return} in a minute, or its five-minute range is over "
        "{breaker_range} times the median of 24 h",
        NO_BUYS,
        "{breaker_minutes} min of market time after the last such bar",
    ),
    Kind(
        "breakers",
        "{breakers_to_kill} pairs are tripped by volatility at the same moment; each stays tripped "
        "for {breaker_minutes} min of market time, so their bursts need not be one",
        KILLS,
        "when fewer pairs are tripped",
    ),
    Kind(
        "API errors",
        "more than {api_errors} of {api_calls} or more calls of the exchange in five minutes "
        "failed: timeouts, broken connections, 5xx and answers that prove nothing; too many "
        "requests and business refusals are no failures, and all tries while no connection can be "
        "made are one for each 30 s",
        KILLS,
        "below half of that",
    ),
    Kind(
        "equity",
        "more than {equity_kill} of net deposits are lost; alerts at {equity_alert}, "
        "{equity_alert_2} and {equity_alert_3}",
        KILLS,
        "below 95 % of that loss; each alert likewise",
    ),
    Kind(
        "drawdown",
        "equity is {equity_alert}, {equity_alert_2} or {equity_alert_3} below its highest",
        ALARMS,
        "below 95 % of that fall",
    ),
    Kind(
        "BTC gate",
        "BTC moved {btc_closes} or more in 60 min, is below its stop-loss, or its price is stale",
        "withholds buys of bots with the BTC filter; their sells rest",
        "after {btc_calm_minutes} min below {btc_opens}",
    ),
    Kind("ticks", "no tick of the bot for {tick_silence} s", NO_BUYS, "below a third of that"),
    Kind("feed", "no message of the pair for {stream_silence} s", NO_BUYS, "below a third of that"),
    Kind(
        "identity",
        "the bot's total PnL differs from its parts, the same way at two looks",
        NO_BUYS,
        "when they are equal",
    ),
    Kind(
        "accounting",
        "the wallet differs from the books, the same way at two looks",
        f"{NO_BUYS}; booked as a move from outside once all executions agree",
        "at the next look that agrees",
    ),
    Kind(
        "reconcile",
        "an order that one side alone thinks open, at two looks",
        NO_BUYS,
        "when both sides agree",
    ),
    Kind(
        "foreign orders",
        "orders on the account that are not ours",
        "shows them, never touches them",
        "when they are gone",
    ),
    Kind(
        "kill",
        "orders of ours were not seen gone 5 s after a kill",
        "alarm; it goes on until the exchange shows none",
        "when none was seen open",
    ),
    Kind(
        "clock",
        "our clock is more than {clock_stop} ms off the exchange's; a warning at {clock_warn} ms",
        NO_BUYS,
        "below {clock_warn} ms",
    ),
    Kind(
        "API key",
        "the key may withdraw, may not trade spot, or has ended; a warning where it is bound to "
        "no address or ends within 14 days",
        NO_BUYS,
        "with a key that may trade spot and no more",
    ),
    Kind(
        "access",
        "the exchange refuses what we sign: key, permissions, address, or a ban of the account",
        NO_BUYS,
        "when it is accepted again, two minutes after the last refusal",
    ),
    Kind(
        "listing",
        "the pair does not trade, or is refused to this key",
        NO_BUYS,
        "when the exchange lists it as trading again; it is asked every 15 min",
    ),
    Kind(
        "fees",
        "the account's fee rate has risen so far that the poorest round trip of a bot's grid "
        "earns nothing",
        NO_BUYS,
        "when it earns again: at other rates, or with fewer grids; rates are asked every 15 min",
    ),
)


def told(policy: Policy) -> Mapping[str, Kind]:
    """Every kind by its name, with the thresholds of this policy in its words."""
    figures = {field.name: _figure(policy, field.name) for field in Policy._meta.concrete_fields}  # noqa: SLF001 - documented
    return {
        kind.name: Kind(
            kind.name, kind.trips.format_map(figures), kind.does, kind.clears.format_map(figures)
        )
        for kind in KINDS
    }


def kind_of(name: str, kinds: Mapping[str, Kind]) -> Kind | None:
    """What a guard of this name is; the gate of another coin is as BTC's is."""
    if name in kinds or not name.endswith(GATE):
        return kinds.get(name)
    coin, btc = name.removesuffix(GATE), kinds[f"BTC{GATE}"]
    return Kind(
        name,
        btc.trips.replace("BTC", coin),
        btc.does.replace("the BTC filter", f"{coin} as their reference"),
        btc.clears,
    )


def _figure(policy: Policy, name: str) -> str:
    value = getattr(policy, name)
    if isinstance(Policy._meta.get_field(name), ShareField):  # noqa: SLF001 - documented
        return percent(value)
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
