"""A version's terms: its row read in the pure core's words, and what its prices must satisfy."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from bots.books import fees
from bots.grid import trailing
from bots.grid.levels import GridSpec, InvalidGrid, Sizing, Spacing
from bots.grid.outcome import Plan
from bots.grid.trailing import Trail, Trailing
from bots.models import Backtest, Bot, GridConfig, Shift
from market.types import Instrument, plain

BTC = "BTCUSDT"
RANGE = ("lower", "upper", "grids", "spacing")
_UNBOUNDED = Decimal("Infinity")
_ENDED = (Bot.State.STOPPED, Bot.State.DRAFT)


def spec_of(config: GridConfig) -> GridSpec:
    """The ladder as it stood when the version began."""
    return GridSpec(
        lower=config.lower,
        upper=config.upper,
        grids=config.grids,
        capital=config.capital,
        spacing=Spacing(config.spacing),
        sizing=Sizing(config.sizing),
        reserve=config.reserve,
        shift=config.trailed or 0,
    )


def spec_now(config: GridConfig) -> GridSpec:
    """The ladder as it stands, with all that it has trailed up."""
    spec = spec_of(config)
    return replace(spec, shift=spec.shift + config.shifts.count())


def spec_after(was: GridConfig, to_be: GridConfig) -> GridSpec:
    """The ladder of a version that takes over from `was`: it never goes down by itself."""
    spec = spec_of(to_be)
    return replace(spec, shift=spec_now(was).shift) if to_be.trailed is None else spec


def trailing_of(config: GridConfig | Backtest) -> Trailing | None:
    """How the version, or a replayed plan, follows a rising price; None when it does not."""
    if not config.trailing_up:
        return None
    return Trailing(cap=config.trailing_cap, hourly=config.trailing_hourly)


def trail_of(config: GridConfig) -> Trail | None:
    """How far the version has trailed. The steps of an hour are counted over all versions."""
    rule = trailing_of(config)
    if rule is None:
        return None
    taken = Shift.objects.filter(config__bot=config.bot_id).order_by("-id")
    times = taken.values_list("time", flat=True)[: rule.hourly]
    rule = replace(rule, fee=fees.kept(config.bot.symbol).maker)
    return Trail(spec_now(config), rule, tuple(sorted(times)))


def plan_of(config: GridConfig, pair: Instrument) -> Plan:
    """The version as it would be replayed, at the rates that the account pays."""
    rates = fees.kept(pair.symbol)
    return Plan(spec_of(config), pair, rates.maker, rates.taker, trailing=trailing_of(config))


def bounds_of(config: GridConfig) -> tuple[Decimal, Decimal]:
    """The lowest and the highest level as they stand."""
    cells = list(config.cells.all())
    if not cells:
        return config.lower, config.upper
    return min(cell.low for cell in cells), max(cell.high for cell in cells)


def references_of(config: GridConfig) -> list[str]:
    """The pairs that must be stable for it to buy."""
    found = {BTC} if config.btc_filter else set()
    return sorted(found | ({config.reference} if config.reference else set()))


def check(config: GridConfig) -> None:
    """Raises InvalidGrid, naming the field, when the version's terms contradict each other."""
    spec = spec_of(config)
    if not 0 < spec.lower < spec.upper:
        raise InvalidGrid("upper", "the upper price must be above the lower, both above zero")
    if config.stop_loss is not None and not 0 < config.stop_loss < spec.lower:
        raise InvalidGrid("stop_loss", f"the stop-loss must lie between 0 and {plain(spec.lower)}")
    if config.take_profit is not None and config.take_profit <= spec.upper:
        raise InvalidGrid(
            "take_profit", f"the take-profit must lie above the upper price {plain(spec.upper)}"
        )
    if config.trailing_stop is not None and not 0 < config.trailing_stop < 1:
        raise InvalidGrid("trailing_stop", "a share of the highest price is accepted: 0.05 for 5 %")
    if rule := trailing_of(config):
        trailing.check(spec, rule)
    elif config.trailing_cap is not None:
        raise InvalidGrid("trailing_cap", "a cap is for a grid that trails up: set trailing_up too")


def others_than(bot: Bot | None) -> Sequence[Bot]:
    """All other bots that have not ended."""
    found = Bot.objects.exclude(state__in=_ENDED).exclude(pk=bot.pk if bot else None)
    return list(found.select_related("config").prefetch_related("config__cells"))


def overlaps(symbol: str, config: GridConfig, others: Iterable[Bot]) -> Iterator[InvalidGrid]:
    """Bots at work whose range this one meets: two grids on one range would trade with each other.

    A grid that trails up may come as far as its cap.
    """
    lower, reach = config.lower, _reach(config, config.upper)
    for other in others:
        if other.symbol != symbol or other.config is None:
            continue
        low, high = bounds_of(other.config)
        if low < reach and lower < _reach(other.config, high):
            far = "and trails up" if other.config.trailing_up else f"to {plain(high)}"
            yield InvalidGrid(
                "lower",
                f"{other.name} trades {plain(low)} {far} already; "
                "a range outside it is accepted, or stop it first",
            )


def _reach(config: GridConfig, upper: Decimal) -> Decimal:
    """The highest price at which it may ever have an order."""
    if not config.trailing_up:
        return upper
    return _UNBOUNDED if config.trailing_cap is None else max(upper, config.trailing_cap)
