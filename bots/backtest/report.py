"""A replay told: the contract's figures for machines, and a page of text for people."""

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from bots.grid.levels import Sizing
from bots.grid.outcome import DAY_MS, Outcome
from market.types import ZERO, Side, moment, plain

_RATIO = Decimal("1e-12")
_CENT = Decimal("0.01")
_PERCENT = Decimal("0.01")
_THIN = Decimal("0.0015")  # net profit of a cell below which fees and slippage eat it


def figures(outcome: Outcome) -> dict[str, Any]:
    """The figures of contract section 6, under its names.

    Money and rates are plain decimal texts; rates are shares, not percent; counts are numbers.
    `quantity` is one text where every cell buys the same, else a text for each cell, lowest
    first. The yearly rates are None before a day of run time. A grid that may trail up also tells
    how many steps it took: `shifts`.
    """
    cells = sorted(outcome.grid.cells, key=lambda cell: cell.low)
    quantities = [plain(cell.quantity) for cell in cells]
    same = outcome.plan.spec.sizing is Sizing.BASE and len(set(quantities)) == 1
    buys = sum(fill.side is Side.BUY for fill in outcome.fills)
    return {
        "candles": outcome.span.candles,
        "fills": len(outcome.fills),
        "buys": buys,
        "sells": len(outcome.fills) - buys,
        "round_trips": len(outcome.round_trips),
        "quantity": quantities[0] if same else quantities,
        "levels": [plain(price) for price in outcome.levels],
        "grid_profit": plain(outcome.grid_profit),
        "inventory_pnl": plain(outcome.inventory_pnl),
        "fees_quote": plain(outcome.fees_quote),
        "base": plain(outcome.base),
        "quote": plain(outcome.quote),
        "equity": plain(outcome.equity),
        "total_pnl": plain(outcome.total_pnl),
        "max_drawdown": _ratio(outcome.max_drawdown),
        "apr_grid": _ratio(outcome.a_year(outcome.grid_profit)),
        "apr_total": _ratio(outcome.a_year(outcome.total_pnl)),
        "fills_per_day": _ratio(len(outcome.fills) / outcome.span.days),
        "out_of_range_share": _ratio(Decimal(outcome.span.outside) / outcome.span.candles),
        **({"shifts": len(outcome.shifts)} if outcome.plan.trailing else {}),
    }


def report(outcome: Outcome) -> str:
    """The replay in words and aligned tables."""
    parts = [*_head(outcome), "", *_money(outcome), "", *_trading(outcome), "", verdict(outcome)]
    for warning in warnings(outcome):
        parts += ["", f"Note: {warning}"]
    parts += ["", FILL_MODEL]
    return "\n".join(parts)


FILL_RULES = (
    "Price moves in straight lines along each bar's open, high, low and\n"
    "close, and an order it passes fills whole at its own price. No queue, no delay, no part\n"
    "fills, no slippage at the start. The order of high and low inside a bar is a guess, and\n"
    "swings shorter than a bar are unseen. Past prices promise nothing."
)
FILL_MODEL = (
    f"How fills are modelled. {FILL_RULES}\n"
    "Try --path color, --fill touch and shorter bars to see how much hangs on that."
)


def verdict(outcome: Outcome) -> str:
    """What it came to, in a sentence."""
    coin, capital = outcome.plan.instrument.quote, outcome.plan.spec.capital
    total, held = outcome.total_pnl, outcome.buy_and_hold() - capital
    did = "earned" if total >= 0 else "lost"
    against = "better" if total >= held else "worse"
    days = _number(outcome.span.days, _CENT)
    return (
        f"The grid {did} {_number(abs(total), _CENT)} {coin} ({_percent(abs(total) / capital)} of "
        f"its capital) in {days} days, {_number(abs(total - held), _CENT)} {coin} {against} than "
        "buying and holding."
    )


def warnings(outcome: Outcome) -> Iterator[str]:
    """What a reader must know before believing the figures."""
    spec, coin = outcome.plan.spec, outcome.plan.instrument.quote
    worst, _ = outcome.net_per_cell()
    if worst <= 0:
        yield (
            f"fees eat the whole step: the worst cell loses {_percent(-worst)} on each round trip, "
            "and such a grid is refused when it is deployed. Fewer grids or a wider range help."
        )
    elif worst < _THIN:
        yield f"the worst cell nets {_percent(worst)} on each round trip; that is little."
    if outcome.least_quote < 0:
        yield (
            f"the losses of round trips used up the capital of {plain(spec.capital)} {coin}: at "
            f"the worst, {_number(-outcome.least_quote, _CENT)} {coin} were missing, and a real "
            "account could not have bought on."
        )
    if outcome.span.end - outcome.span.start < DAY_MS:
        yield "yearly rates are not shown for less than a day."


def _head(outcome: Outcome) -> Iterator[str]:
    plan, span = outcome.plan, outcome.span
    spec, pair = plan.spec, plan.instrument
    holding = sum(cell.low >= span.first for cell in outcome.grid.cells)
    yield (
        f"{pair.symbol}: {spec.spacing} grid of {spec.grids} cells from {plain(outcome.levels[0])} "
        f"to {plain(outcome.levels[-1])}, {plain(spec.capital)} {pair.quote}"
    )
    yield (
        f"{span.candles:,} candles from {moment(span.start):%Y-%m-%d %H:%M} to "
        f"{moment(span.end):%Y-%m-%d %H:%M} UTC, a bar every {_length(span.interval)}"
        f"{_gaps(outcome)}"
    )
    yield (
        f"started at {plain(span.first)} with {holding} of {spec.grids} cells bought at the "
        f"market, ended at {plain(span.last)}"
    )
    yield (
        f"path {plan.path}, fill {plan.rule}, fees {_percent(plan.maker)} maker and "
        f"{_percent(plan.taker)} taker"
    )


def _money(outcome: Outcome) -> Iterator[str]:
    capital = outcome.plan.spec.capital
    rows = [
        ("Grid profit", outcome.grid_profit),
        ("Inventory PnL, realised", outcome.inventory_pnl),
        ("Floating PnL", outcome.floating),
        ("Total PnL", outcome.total_pnl),
        ("Buying and holding", outcome.buy_and_hold() - capital),
        ("Fees, inside the above", -outcome.fees_quote),
        ("Equity at the end", outcome.equity),
    ]
    width = max(len(_number(amount, _CENT)) for _, amount in rows)
    yield f"{'':<26}{outcome.plan.instrument.quote:>{width}}  of capital"
    for name, amount in rows:
        yield f"{name:<26}{_number(amount, _CENT):>{width}}  {_percent(amount / capital):>10}"


def _trading(outcome: Outcome) -> Iterator[str]:
    told = figures(outcome)
    worst, best = outcome.net_per_cell()
    yearly = [outcome.a_year(amount) for amount in (outcome.grid_profit, outcome.total_pnl)]
    rows = [
        ("Fills", f"{told['fills']:,} ({told['buys']:,} buys, {told['sells']:,} sells)"),
        ("Fills a day", _number(Decimal(told["fills_per_day"]), _CENT)),
        ("Round trips", f"{told['round_trips']:,}"),
        ("Net per round trip", f"{_percent(worst)} to {_percent(best)}"),
        ("Grid APR, simple", _yearly(yearly[0])),
        ("Total APR, simple", _yearly(yearly[1])),
        ("Greatest drawdown", _percent(outcome.max_drawdown)),
        ("Closed out of range", f"{_percent(Decimal(told['out_of_range_share']))} of candles"),
        ("Held at the end", f"{plain(outcome.base)} {outcome.plan.instrument.base}"),
    ]
    for name, value in rows:
        yield f"{name:<26}{value}"


def _gaps(outcome: Outcome) -> str:
    span = outcome.span
    missing = (span.end - span.start) // span.interval - span.candles
    return f"; {missing:,} missing" if missing > 0 else ""


def _length(milliseconds: int) -> str:
    """An interval in the largest unit that it is a whole number of."""
    for name, unit in (("day", DAY_MS), ("hour", 3_600_000), ("minute", 60_000), ("second", 1000)):
        if milliseconds % unit == 0:
            count = milliseconds // unit
            return name if count == 1 else f"{count} {name}s"
    return f"{milliseconds} ms"


def _yearly(rate: Decimal | None) -> str:
    return "not before a day has passed" if rate is None else _percent(rate)


def _ratio(number: Decimal | None) -> str | None:
    return None if number is None else plain(number.quantize(_RATIO, ROUND_HALF_EVEN))


def _percent(share: Decimal) -> str:
    return f"{_number(share * 100, _PERCENT)} %"


def _number(number: Decimal, step: Decimal) -> str:
    """Rounded for reading, thousands set apart, a true minus sign, never a negative zero."""
    rounded = number.quantize(step, ROUND_HALF_EVEN)
    sign = "−" if rounded < ZERO else ""
    return f"{sign}{abs(rounded):,f}"
