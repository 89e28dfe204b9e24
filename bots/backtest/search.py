"""Many grids on the same candles, each refused or replayed, and the best of them by a measure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from bots.backtest.replay import replay
from bots.backtest.report import figures
from bots.grid.levels import InvalidGrid
from bots.grid.outcome import Outcome, Plan
from bots.grid.rates import Fees
from bots.grid.truth import check_profit
from market.types import ONE, Candle

_LEAST_FALL = Decimal("0.0001")  # a drawdown below this is no measure of anything


@dataclass(frozen=True, slots=True)
class Measure:
    """What grids are ranked by; more is better."""

    words: str
    of: Callable[[Outcome], Decimal]


MEASURES: Mapping[str, Measure] = {
    "return": Measure("total PnL / capital", lambda o: o.total_pnl / o.plan.spec.capital),
    "grid-return": Measure("grid profit / capital", lambda o: o.grid_profit / o.plan.spec.capital),
    "total-pnl": Measure("total PnL", lambda o: o.total_pnl),
    "grid-profit": Measure("grid profit", lambda o: o.grid_profit),
    "fills": Measure("fills a day", lambda o: len(o.fills) / o.span.days),
    "calm": Measure("1 - greatest drawdown", lambda o: ONE - o.max_drawdown),
    "return-per-drawdown": Measure(
        "return / greatest drawdown",
        lambda o: o.total_pnl / o.plan.spec.capital / max(o.max_drawdown, _LEAST_FALL),
    ),
}


@dataclass(frozen=True, slots=True)
class Found:
    """A grid that was replayed."""

    plan: Plan
    score: Decimal
    figures: Mapping[str, Any]  # of contract section 6


@dataclass(slots=True)
class Search:
    """What was tried so far. Of equal grids the one tried first is the better."""

    by: str
    top: int
    best: list[Found] = field(default_factory=list)
    replayed: int = 0
    refused: Counter[str] = field(default_factory=Counter)  # by reason

    def go(self, plans: Iterable[Plan], bars: Sequence[Candle]) -> None:
        """Replay each plan that could be deployed, and keep the best."""
        for plan in plans:
            try:
                check_profit(plan.spec, plan.instrument, Fees(plan.maker, plan.taker))
                outcome = replay(plan, bars)
            except InvalidGrid as error:
                self.refused[f"{error.field}: {error}"] += 1
                continue
            self.replayed += 1
            self._keep(Found(plan, MEASURES[self.by].of(outcome), figures(outcome)))

    def _keep(self, found: Found) -> None:
        self.best.append(found)
        self.best.sort(key=lambda each: each.score, reverse=True)
        del self.best[self.top :]
