"""Profit capture: what each bot made of its plan, and what it missed by which cause.

Each cause is priced by the plan itself: replayed once more with buys withheld, or with nothing
resting, while the cause stood, it earns so much less. What the bot lacks beyond that is told by
its cells: passages that the plan made there and the bot did not, as many as orders were refused
there are the refusals', the others come of orders that were not there in time. The rest is other.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from threading import Lock

from django.db.models import Count, Sum

from bots.backtest.ideal import Hold, Ideal, Stage
from bots.books import fees
from bots.models import Bot, Capture, Order, RoundTrip, Spell
from bots.terms import spec_of, trailing_of
from market import series
from market.models import Instrument, Price
from market.types import ZERO, OrderStatus, milliseconds, moment
from risk.rules import halted, withheld

SETTLED = timedelta(minutes=2)  # before the newest price: bars are whole by then
MOST_BARS = 45_000  # replayed in one go, a month of minutes; the rest at the next
CAUSES = ("gate", "paused", "halted", "rejected", "latency", "other")
_LIMITS = {
    Spell.Kind.GATE: withheld("gate"),
    Spell.Kind.PAUSED: withheld("paused"),
    Spell.Kind.HALTED: halted("halted"),
}
_WAYS = (
    (),
    (Spell.Kind.GATE,),
    (Spell.Kind.GATE, Spell.Kind.PAUSED),
    (Spell.Kind.GATE, Spell.Kind.PAUSED, Spell.Kind.HALTED),
)
Cells = Counter[tuple[int, int]]  # round trips by version and cell


class Measures:
    """The replays of all bots, kept between looks so that each bar is replayed once."""

    def __init__(self) -> None:
        self._plans: dict[int, list[Ideal]] = {}
        self._busy = Lock()

    def take(self) -> None:
        """Go on to the newest whole bar of every bot, and keep what came of it.

        While another thread does so there is nothing to do.
        """
        if not self._busy.acquire(blocking=False):
            return
        try:
            for bot in Bot.objects.exclude(deployed_at=None).order_by("pk"):
                self._take(bot)
        finally:
            self._busy.release()

    def _take(self, bot: Bot) -> None:
        pair = Instrument.objects.filter(symbol=bot.symbol).first()
        price = Price.objects.filter(symbol=bot.symbol).first()
        stages = _stages(bot)
        if pair is None or price is None or not stages:
            return
        plans = self._plans.setdefault(
            bot.pk, [Ideal(pair.to_domain(), *_fees(bot)) for _ in _WAYS]
        )
        since = max(plans[0].reached + 1, stages[0].began)
        end = milliseconds(price.time - SETTLED)
        bars = list(series.oldest(bot.symbol, since, end, MOST_BARS))
        if bars:
            holds = _holds(bot)
            for plan, kinds in zip(plans, _WAYS, strict=True):
                plan.go_on(bars, stages, [hold for kind, hold in holds if kind in kinds])
        if len(bars) < MOST_BARS and plans[0].reached:
            _keep(bot, plans)


def _stages(bot: Bot) -> Sequence[Stage]:
    begun = bot.configs.exclude(began_at=None).order_by("version")
    return [Stage(c.version, spec_of(c), milliseconds(c.began_at), trailing_of(c)) for c in begun]


def _holds(bot: Bot) -> Sequence[tuple[str, Hold]]:
    found = Spell.objects.filter(bot=bot, kind__in=_LIMITS).order_by("id")
    return [
        (s.kind, Hold(milliseconds(s.since), milliseconds(s.until), _LIMITS[Spell.Kind(s.kind)]))
        for s in found
    ]


def _fees(bot: Bot) -> tuple[Decimal, Decimal]:
    """Maker and taker fee as the bot's newest fills in its own coins paid them.

    Where it has none yet, as the exchange told them.
    """
    told = fees.kept(bot.symbol)
    found = []
    for maker, rate in ((True, told.maker), (False, told.taker)):
        fill = bot.fills.filter(is_maker=maker, fee_worth=None).order_by("-id").first()
        if fill is None:
            found.append(rate)
            continue
        in_quote = fill.symbol.endswith(fill.fee_coin)
        found.append(fill.fee / (fill.quantity * (fill.price if in_quote else 1)))
    return found[0], found[1]


def _keep(bot: Bot, plans: Sequence[Ideal]) -> None:
    until = moment(plans[0].reached + 60_000)
    trips = RoundTrip.objects.filter(bot=bot, closed__lt=until)
    realised = trips.aggregate(sum=Sum("grid_profit"))["sum"] or ZERO
    profits = [plan.grid_profit for plan in plans]
    rejected, latency = _by_cell(bot, plans[-1], trips)
    causes = {
        "gate": profits[0] - profits[1],
        "paused": profits[1] - profits[2],
        "halted": profits[2] - profits[3],
        "rejected": rejected,
        "latency": latency,
    }
    causes["other"] = profits[0] - realised - sum(causes.values(), ZERO)
    Capture.objects.update_or_create(
        bot=bot,
        defaults={"until": until, "planned": profits[0], "realised": realised, **causes},
    )


def _by_cell(bot: Bot, plan: Ideal, trips) -> tuple[Decimal, Decimal]:  # noqa: ANN001 - a query set
    """What the bot missed of a plan that was held back as it was: by refusals, and by the clock."""
    made: Cells = Counter(
        {(v, cell): n for v, cell, n in trips.order_by().values_list("config__version", "cell")
         .annotate(n=Count("id"))}
    )  # fmt: skip
    refused: Cells = Counter(
        {(v, cell): n for v, cell, n in Order.objects.filter(
            bot=bot, status=OrderStatus.REJECTED).order_by()
         .values_list("config__version", "cell").annotate(n=Count("id"))}
    )  # fmt: skip
    planned: Cells = Counter((version, trip.cell) for version, trip in plan.trips)
    sums: Counter[tuple[int, int]] = Counter()
    for version, trip in plan.trips:
        sums[version, trip.cell] += trip.grid_profit  # type: ignore[assignment]
    rejected = latency = ZERO
    for key, count in planned.items():
        missing = max(0, count - made[key])
        each = Decimal(sums[key]) / count
        by_refusal = min(missing, refused[key])
        rejected += each * by_refusal
        latency += each * (missing - by_refusal)
    return rejected, latency
