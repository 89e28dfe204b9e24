"""A replay drawn as one SVG file: price with levels and fills, and equity under it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from xml.sax.saxutils import escape

from bots.backtest.report import verdict
from bots.grid.levels import Spacing
from bots.grid.outcome import Outcome
from market.types import Candle, Side, moment, plain

WIDTH, HEIGHT = 1040, 640
LEFT, RIGHT = 92, 1020
PRICE_TOP, PRICE_BOTTOM = 74, 402
EQUITY_TOP, EQUITY_BOTTOM = 452, 590
MOST_POINTS = 2 * (RIGHT - LEFT)  # two a pixel
MARK = 3  # width of a fill's mark; fills closer than that at one level are drawn as one
ASIDE = 1  # buys are marked just under their level and sells just over it, so that both show
LINE = 14  # height of a label
LABELS = 6  # of time

# The design tokens of static/tokens.css that the picture uses, light and dark: a file that is
# opened on its own has no style sheet. A test keeps them the same.
LIGHT = {
    "bg": "#FFFFFF", "line": "#E3E2DE", "text": "#37352F", "strong": "#000000",
    "muted": "#6B6A66", "accent-ink": "#0B6E99", "accent-tint": "#E3F2F9",
    "buy": "#0B6E99", "sell": "#B8500A",
}  # fmt: skip
DARK = {
    "bg": "#191919", "line": "#373737", "text": "#ECEBE8", "strong": "#FFFFFF",
    "muted": "#A3A29E", "accent-ink": "#5CC0E8", "accent-tint": "#1C313B",
    "buy": "#5CC0E8", "sell": "#F0A060",
}  # fmt: skip

Scale = Callable[[Decimal], Decimal]
_TENTH = Decimal("0.1")


@dataclass(slots=True)
class Point:
    """Some neighbouring bars as one: extremes of price, and equity at the last close."""

    time: int
    low: Decimal
    high: Decimal
    close: Decimal
    equity: Decimal

    def take(self, later: "Point") -> None:
        """Grow by the bars that follow."""
        self.low, self.high = min(self.low, later.low), max(self.high, later.high)
        self.close, self.equity = later.close, later.equity


@dataclass(slots=True)
class Curve:
    """A replay's bars in a bounded number of points, however many come. Give `add` as its watch."""

    points: list[Point] = field(default_factory=list)
    _bars_a_point: int = 1
    _bars_in_last: int = 0

    def add(self, candle: Candle, equity: Decimal) -> None:
        point = Point(candle.time, candle.low, candle.high, candle.close, equity)
        if 0 < self._bars_in_last < self._bars_a_point:
            self.points[-1].take(point)
            self._bars_in_last += 1
            return
        if len(self.points) == MOST_POINTS:
            self._halve()
        self.points.append(point)
        self._bars_in_last = 1

    def _halve(self) -> None:
        for first, second in zip(self.points[::2], self.points[1::2], strict=True):
            first.take(second)
        self.points = self.points[::2]
        self._bars_a_point *= 2


def draw(outcome: Outcome, curve: Curve) -> str:
    """The whole file."""
    across = _across(outcome)
    parts = [*_opening(outcome), *_price_panel(outcome, curve.points, across)]
    parts += [*_equity_panel(outcome, curve.points, across), *_times(outcome, across), "</svg>"]
    return "\n".join(parts) + "\n"


def _opening(outcome: Outcome) -> Iterable[str]:
    pair, spec = outcome.plan.instrument, outcome.plan.spec
    title = f"{pair.symbol}, {spec.spacing} grid of {spec.grids} cells"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'aria-labelledby="title desc">'
    )
    yield f'<title id="title">{escape(title)}</title>'
    yield f'<desc id="desc">{escape(verdict(outcome))}</desc>'
    yield f"<style>{_style()}</style>"
    yield f'<rect class="bg" width="{WIDTH}" height="{HEIGHT}"/>'
    yield _text(LEFT, 28, title, "title")
    yield _text(LEFT, 50, verdict(outcome), "text")


def _style() -> str:
    def tokens(values: dict[str, str]) -> str:
        return "svg{" + "".join(f"--{name}:{value};" for name, value in values.items()) + "}"

    rules = (
        'text{font:12px "Inter",ui-sans-serif,system-ui,sans-serif;fill:var(--muted)}'
        ".title{font-size:16px;font-weight:600;fill:var(--strong)}.text{fill:var(--text)}"
        ".end{text-anchor:end}.middle{text-anchor:middle}.bg{fill:var(--bg)}"
        "path{fill:none;stroke-width:1}.level{stroke:var(--line)}"
        ".bars{fill:var(--text);stroke:none;opacity:.45}.close{stroke:var(--text)}"
        ".buy{stroke:var(--buy);stroke-width:2}.sell{stroke:var(--sell);stroke-width:2}"
        "text.b{fill:var(--buy)}text.s{fill:var(--sell)}"
        ".equity{stroke:var(--accent-ink);stroke-width:1.5}"
        ".area{fill:var(--accent-tint);stroke:none}"
        ".base{stroke:var(--muted);stroke-dasharray:4 4}.hold{stroke:var(--muted)}"
    )
    return f"{tokens(LIGHT)}@media (prefers-color-scheme:dark){{{tokens(DARK)}}}{rules}"


def _price_panel(outcome: Outcome, points: Sequence[Point], across: Scale) -> Iterable[str]:
    prices = [*outcome.levels, *(p.low for p in points), *(p.high for p in points)]
    geometric = outcome.plan.spec.spacing is Spacing.GEOMETRIC
    up = _upwards(prices, PRICE_TOP, PRICE_BOTTOM, logarithmic=geometric)
    levels = "".join(f"M{LEFT} {up(price)}H{RIGHT}" for price in outcome.levels)
    yield f'<path class="level" d="{levels}"/>'
    spots = [(across(Decimal(p.time)), p) for p in points]
    above = "L".join(f"{x} {up(p.high)}" for x, p in spots)
    below = "L".join(f"{x} {up(p.low)}" for x, p in reversed(spots))
    yield f'<path class="bars" d="M{above}L{below}Z"/>'
    yield f'<path class="close" d="M{"L".join(f"{x} {up(p.close)}" for x, p in spots)}"/>'
    for side in Side:
        yield f'<path class="{side.lower()}" d="{_marks(outcome, side, across, up)}"/>'
    lowest, *between, highest = outcome.levels
    for price in _apart([lowest, highest, *between], up):
        yield _text(LEFT - 8, up(price) + 4, plain(price), "end")
    yield _text(RIGHT, PRICE_TOP - 8, f"{outcome.plan.instrument.quote}, levels and fills", "end")
    yield _text(LEFT, PRICE_TOP - 8, "buys", "b")
    yield _text(LEFT + 40, PRICE_TOP - 8, "sells", "s")


def _marks(outcome: Outcome, side: Side, across: Scale, up: Scale) -> str:
    """A short dash for each fill; those that would cover each other are drawn once."""
    aside = ASIDE if side is Side.BUY else -ASIDE
    spots = {
        (int(across(Decimal(fill.time))) // MARK * MARK, fill.price)
        for fill in outcome.fills
        if fill.side is side
    }
    return "".join(f"M{x} {up(price) + aside}h{MARK}" for x, price in sorted(spots))


def _equity_panel(outcome: Outcome, points: Sequence[Point], across: Scale) -> Iterable[str]:
    capital, span = outcome.plan.spec.capital, outcome.span
    coins = capital * (1 - outcome.plan.taker) / span.first
    held = [coins * point.close for point in points]
    worths = [point.equity for point in points]
    up = _upwards([capital, *worths, *held], EQUITY_TOP, EQUITY_BOTTOM)
    xs = [across(Decimal(point.time)) for point in points]
    line = "L".join(f"{x} {up(worth)}" for x, worth in zip(xs, worths, strict=True))
    hold = "L".join(f"{x} {up(worth)}" for x, worth in zip(xs, held, strict=True))
    yield f'<path class="area" d="M{xs[0]} {up(capital)}L{line}L{xs[-1]} {up(capital)}Z"/>'
    yield f'<path class="base" d="M{LEFT} {up(capital)}H{RIGHT}"/>'
    yield f'<path class="hold" d="M{hold}"/>'
    yield f'<path class="equity" d="M{line}"/>'
    for worth in _apart([capital, min(worths), max(worths)], up):
        yield _text(LEFT - 8, up(worth) + 4, plain(worth.quantize(Decimal("0.01"))), "end")
    coin = outcome.plan.instrument.quote
    yield _text(
        RIGHT,
        EQUITY_TOP - 14,
        f"{coin}: equity, capital (dashed), buying and holding (grey)",
        "end",
    )


def _times(outcome: Outcome, across: Scale) -> Iterable[str]:
    start, end = outcome.span.start, outcome.span.end
    for i in range(LABELS):
        time = start + (end - start) * i // (LABELS - 1)
        place = "" if i == 0 else "end" if i == LABELS - 1 else "middle"
        yield _text(across(Decimal(time)), HEIGHT - 22, f"{moment(time):%Y-%m-%d %H:%M}", place)


def _across(outcome: Outcome) -> Scale:
    start, length = outcome.span.start, outcome.span.end - outcome.span.start
    return lambda time: (LEFT + (RIGHT - LEFT) * (time - start) / length).quantize(_TENTH)


def _upwards(
    values: Sequence[Decimal], top: int, bottom: int, *, logarithmic: bool = False
) -> Scale:
    """Where a value stands between `bottom` and `top`; the panel holds them all."""
    low, high = min(values), max(values)
    if logarithmic:
        floor, span = low.ln(), (high / low).ln() or Decimal(1)
        return lambda value: (bottom - (bottom - top) * (value.ln() - floor) / span).quantize(
            _TENTH
        )
    span = (high - low) or Decimal(1)
    return lambda value: (bottom - (bottom - top) * (value - low) / span).quantize(_TENTH)


def _apart(values: Sequence[Decimal], up: Scale) -> Sequence[Decimal]:
    """Values whose labels do not run into each other; the first ones go before the others."""
    kept: list[Decimal] = []
    for value in values:
        if all(abs(up(value) - up(other)) >= LINE for other in kept):
            kept.append(value)
    return kept


def _text(x: Decimal | int, y: Decimal | int, text: str, kind: str = "") -> str:
    return f'<text x="{x}" y="{y}" class="{kind}">{escape(text)}</text>'
