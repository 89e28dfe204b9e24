"""A second backtest, plain and slow, from the contract's text alone: nothing of the engine is used.

Money is exact (fractions); levels of geometric grids come from integer roots, not logarithms.
"""

from fractions import Fraction
from itertools import pairwise

DAY = 86_400_000


def nearest_even(number):
    """A fraction to the nearest whole number, halves to the even one."""
    whole, rest = divmod(number, 1)
    up = rest > Fraction(1, 2) or (rest == Fraction(1, 2) and whole % 2 == 1)
    return int(whole) + (1 if up else 0)


def root_even(number, degree):
    """The degree-th root of a fraction to the nearest whole number, halves to the even one."""
    low, high = 0, 1
    while high**degree <= number:
        high *= 2
    while high - low > 1:
        middle = (low + high) // 2
        if middle**degree <= number:
            low = middle
        else:
            high = middle
    half = (low + Fraction(1, 2)) ** degree
    up = number > half or (number == half and low % 2 == 1)
    return low + (1 if up else 0)


def ladder(lower, upper, grids, spacing, tick):
    """P_i = L + i (U - L) / N, or L (U / L)^(i / N), rounded half to even on the tick."""
    if spacing == "arithmetic":
        exact = [lower + i * (upper - lower) / grids for i in range(grids + 1)]
        return [nearest_even(price / tick) * tick for price in exact]
    ticks = []
    for i in range(grids + 1):
        power = lower ** (grids - i) * upper**i / tick**grids
        ticks.append(root_even(power, grids))
    return [number * tick for number in ticks]


def sizes(levels, p0, usable, sizing, lot):
    """What each cell buys."""
    costs = [min(level, p0) for level in levels[:-1]]
    if sizing == "base":
        return [usable / sum(costs) // lot * lot] * len(costs)
    return [usable / len(costs) / cost // lot * lot for cost in costs]


def way(bar, kind):
    """The prices a bar visits."""
    _, opened, high, low, close = bar
    rose = close >= opened
    low_first = rose
    if kind == "nearest":
        to_low, to_high = opened - low, high - opened
        if to_low < to_high:
            low_first = True
        if to_high < to_low:
            low_first = False
    return [opened, low, high, close] if low_first else [opened, high, low, close]


class Oracle:
    """One run. Bars are (open time in ms, open, high, low, close), prices as fractions."""

    def __init__(
        self, bars, *, lower, upper, grids, capital, spacing, sizing, reserve,
        maker, taker, tick, lot, path, fill,
    ):  # fmt: skip
        self.maker, self.taker, self.lot, self.fill = maker, taker, lot, fill
        self.p0 = bars[0][1]
        self.capital = self.quote = capital
        self.levels = ladder(lower, upper, grids, spacing, tick)
        self.quantities = sizes(self.levels, self.p0, capital * (1 - reserve), sizing, lot)
        self.held = [Fraction(0)] * grids  # base, dust included
        self.cost = [Fraction(0)] * grids  # paid for what is held
        self.holding = [False] * grids
        self.entry = [False] * grids
        self.fills = []  # time, cell, side, price, quantity, fee
        self.round_trips = 0
        self.grid_profit = self.inventory_pnl = self.fees_quote = Fraction(0)
        self.equities = []
        self.outside = 0
        for cell in range(grids):
            if self.levels[cell] >= self.p0:
                self.buy(cell, self.p0, self.taker, bars[0][0])
                self.entry[cell] = True
        last = self.p0
        for bar in bars:
            for price in way(bar, path):
                self.move(last, price, bar[0])
                last = price
            self.close(last)
        self.bars = bars
        self.last = last

    def buy(self, cell, price, rate, time):
        quantity = self.quantities[cell]
        fee = quantity * rate  # in base
        self.quote -= quantity * price
        self.held[cell] += quantity - fee
        self.cost[cell] = quantity * price
        self.fees_quote += fee * price
        self.holding[cell] = True
        self.entry[cell] = False
        self.fills.append((time, cell, "Buy", price, quantity, fee))

    def sell(self, cell, price, time):
        quantity = self.held[cell] // self.lot * self.lot
        fee = quantity * price * self.maker  # in quote
        proceeds = quantity * price - fee
        self.quote += proceeds
        self.held[cell] -= quantity
        self.fees_quote += fee
        self.holding[cell] = False
        self.fills.append((time, cell, "Sell", price, quantity, fee))
        as_if = self.cost[cell]
        if self.entry[cell]:
            as_if = self.quantities[cell] * self.levels[cell]
        self.grid_profit += proceeds - as_if
        self.inventory_pnl += as_if - self.cost[cell]
        self.cost[cell] = Fraction(0)
        self.round_trips += 1

    def move(self, start, end, time):
        """One straight segment; only what rested at its start may fill in it."""
        if end < start:
            for cell in reversed(range(len(self.holding))):
                level = self.levels[cell]
                reached = end <= level if self.fill == "touch" else end < level
                if not self.holding[cell] and reached:
                    self.buy(cell, level, self.maker, time)
        elif end > start:
            for cell in range(len(self.holding)):
                level = self.levels[cell + 1]
                reached = end >= level if self.fill == "touch" else end > level
                if self.holding[cell] and reached:
                    self.sell(cell, level, time)

    def close(self, price):
        self.equities.append(self.quote + sum(self.held) * price)
        if not self.levels[0] <= price <= self.levels[-1]:
            self.outside += 1

    def max_drawdown(self):
        high, worst = self.equities[0], Fraction(0)
        for equity in self.equities:
            high = max(high, equity)
            worst = max(worst, (high - equity) / high)
        return worst

    def figures(self):
        """The contract's JSON, with exact fractions for its texts and None for what is hidden."""
        times = [bar[0] for bar in self.bars]
        steps = [after - before for before, after in pairwise(times)]
        ran = times[-1] - times[0] + (min(steps) if steps else 60_000)
        base = sum(self.held)
        equity = self.quote + base * self.last
        total = equity - self.capital
        yearly = Fraction(365 * DAY, ran) / self.capital
        sides = [fill[2] for fill in self.fills]
        return {
            "candles": len(self.bars),
            "fills": len(self.fills),
            "buys": sides.count("Buy"),
            "sells": sides.count("Sell"),
            "round_trips": self.round_trips,
            "levels": self.levels,
            "grid_profit": self.grid_profit,
            "inventory_pnl": self.inventory_pnl,
            "fees_quote": self.fees_quote,
            "base": base,
            "quote": self.quote,
            "equity": equity,
            "total_pnl": total,
            "max_drawdown": self.max_drawdown(),
            "apr_grid": self.grid_profit * yearly if ran >= DAY else None,
            "apr_total": total * yearly if ran >= DAY else None,
            "fills_per_day": Fraction(len(self.fills) * DAY, ran),
            "out_of_range_share": Fraction(self.outside, len(self.bars)),
        }
