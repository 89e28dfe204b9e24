"""The small ladder of a bot's card, drawn as SVG, and the words about its orders.

The browser redraws both with static/js/ladder.js from the same state; a browser test compares them.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Any

from django import template
from django.template.loader import render_to_string
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from bots.templatetags.numbers import read

register = template.Library()


@register.simple_tag
def cell_row(cell: Mapping[str, Any], tick: str | None) -> SafeString:
    """The table's row of a cell. A look at the page renders those alone that are new or changed."""
    return _cell_row(tuple(cell.items()), tick or "")


@lru_cache(maxsize=2_000)
def _cell_row(facts: tuple[tuple[str, Any], ...], tick: str) -> SafeString:
    return render_to_string("includes/cell_row.html", {"cell": dict(facts), "tick": tick})


WIDTH, HEIGHT = 260, 96
TOP, BOTTOM, NOW_X = Decimal(6), Decimal(90), Decimal(246)
PIXEL = Decimal("0.1")
SCALE_DIGITS = 12  # far finer than a pixel, and quick for logarithms

Card = Mapping[str, Any]
Scale = Callable[[str], Decimal]


def levels(card: Card) -> list[str]:
    """The N+1 prices of N cells, lowest first."""
    cells = card["cells"]
    return [cell["low"] for cell in cells] + [cell["high"] for cell in cells[-1:]]


def scale_of(card: Card) -> Scale:
    """Where a price stands in the picture: linear for arithmetic grids, by logarithm for others.

    The picture holds every level, the recent path and the price, also outside the grid.
    """
    linear = card["range"]["spacing"] == "arithmetic"

    def on_axis(price: str) -> Decimal:
        return read(price) if linear else read(price).ln()

    prices = levels(card) + [price for _, price in card["spark"]]
    if card["price"]:
        prices.append(card["price"]["last"])
    spots = [on_axis(price) for price in prices] or [Decimal(0)]
    low, high = min(spots), max(spots)
    span = (high - low) or Decimal(1)
    return lambda price: (BOTTOM - (BOTTOM - TOP) * (on_axis(price) - low) / span).quantize(PIXEL)


def kind_of(cell: Mapping[str, Any]) -> str:
    """The line of a cell's order: by side when it rests or is on its way, grey when withheld."""
    if cell["status"] == "withheld":
        return "held"
    return cell["wants"].lower() if cell["wants"] and cell["status"] != "none" else ""


def lines(card: Card, scale: Scale) -> list[tuple[str, str]]:
    """SVG paths by kind: bare levels first, then orders on top of them."""
    drawn: dict[str, list[str]] = {"bare": [], "buy": [], "sell": [], "held": []}
    orders = {cell["price"]: kind for cell in card["cells"] if (kind := kind_of(cell))}
    for price in levels(card):
        drawn[orders.get(price, "bare")].append(f"M0 {scale(price)}H{WIDTH}")
    return [(kind, "".join(parts)) for kind, parts in drawn.items()]


def spark(points: Sequence[str], scale: Scale) -> str:
    """The recent path, spread evenly, as the points of one SVG path."""
    if len(points) < 2:  # noqa: PLR2004 - one point is no path
        return ""
    step = NOW_X / (len(points) - 1)
    spots = (f"{(step * i).quantize(PIXEL)} {scale(price)}" for i, price in enumerate(points))
    return "M" + "L".join(spots)


def paths(card: Card) -> list[tuple[str, str]]:
    """Everything in the picture as (kind, path data), in painting order."""
    with localcontext(prec=SCALE_DIGITS):
        scale = scale_of(card)
        points = [price for _, price in card["spark"]]
        now = ""
        if card["price"]:
            points.append(card["price"]["last"])
            now = f"M{NOW_X} {scale(card['price']['last'])}h0"
        drawn = [*lines(card, scale), ("spark", spark(points, scale))]
        return [*drawn, ("halo", now), ("now", now)]


@register.simple_tag
def mini_ladder(card: Card) -> SafeString:
    """The picture of a card: levels by the side of their orders, the recent path, the price."""
    drawn = format_html_join("", '<path class="{}" d="{}"/>', paths(card))
    label = f"{card['name']} price against {len(card['cells'])} grid cells"
    return format_html(
        '<svg class="mini" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" '
        'aria-label="{}" data-ladder="{}">{}</svg>',
        WIDTH,
        HEIGHT,
        label,
        card["slug"],
        drawn,
    )


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


@register.filter
def resting_text(card: Card) -> str:
    """A card's orders in words: "5 sells and 6 buys resting, 12 withheld"."""
    counts = card["resting"]
    sells, buys = _counted(counts["sells"], "sell"), _counted(counts["buys"], "buy")
    if counts["sells"] and counts["buys"]:
        parts = [f"{sells} and {buys} resting"]
    elif counts["sells"] or counts["buys"]:
        parts = [f"{sells if counts['sells'] else buys} resting"]
    else:
        parts = ["No orders resting"]
    if counts["in_flight"]:
        parts.append(f"{counts['in_flight']} on the way")
    if counts["withheld"]:
        parts.append(f"{counts['withheld']} withheld")
    return ", ".join(parts)


@register.filter
def withheld_reason(card: Card) -> str:
    """Why orders are withheld: the first cell's reason, which is mostly everybody's."""
    reasons = [cell["reason"] for cell in card["cells"] if cell["reason"]]
    return f"{reasons[0].rstrip('.')}." if reasons else ""


@register.filter
def nearest_order(cards: Sequence[Card]) -> str:
    """A sentence about the resting order closest to its price, "" when nothing rests."""
    found: list[tuple[Decimal, str]] = []
    for card in cards:
        if not card["price"]:
            continue
        last = read(card["price"]["last"])
        for cell in card["cells"]:
            if cell["status"] == "resting":
                away = (read(cell["price"]) - last) / last * 100
                where = "above" if away > 0 else "below"
                text = f"{card['name']} {cell['wants'].lower()} {abs(away):.2f} % {where} its price"
                found.append((abs(away), text))
    return f"The nearest order is a {min(found)[1]}." if found else ""


ROW = 24  # pixels of a row of the bot page's table; its picture has one row a level


@register.simple_tag
def grid_ladder(card: Card, levels: Sequence[Mapping[str, Any]]) -> SafeString:
    """The bot page's picture: each level at the middle of its row in the table beside it."""
    if not levels:
        return SafeString("")
    height = ROW * len(levels)
    drawn = [(row["kind"], f"M0 {i * ROW + ROW // 2}H1000") for i, row in enumerate(levels)]
    with localcontext(prec=SCALE_DIGITS):
        points = [price for _, price in card["spark"]]
        if card["price"]:
            points.append(card["price"]["last"])
        ends = levels[-1]["price"], levels[0]["price"]
        drawn.append(("spark", _row_path(points, card, ends, height)))
    shapes = format_html_join("", '<path class="{}" d="{}"/>', drawn)
    return format_html(
        '<svg class="mini grid-picture" viewBox="0 0 1000 {}" preserveAspectRatio="none" '
        'role="img" aria-label="{} price of a day against {} grid cells">{}</svg>',
        height,
        card["name"],
        len(card["cells"]),
        shapes,
    )


def _row_path(points: Sequence[str], card: Card, ends: tuple[str, str], height: int) -> str:
    """A path on the scale on which levels are one row apart, from the lowest to the highest."""
    if len(points) < 2:  # noqa: PLR2004 - one point is no path
        return ""
    linear = card["range"]["spacing"] == "arithmetic"

    def on_axis(price: str) -> Decimal:
        return read(price) if linear else read(price).ln()

    low, high = map(on_axis, ends)
    inner = height - ROW
    step = Decimal(960) / (len(points) - 1)
    spots = (
        f"{(step * i).quantize(PIXEL)} "
        f"{(ROW // 2 + inner * (1 - (on_axis(p) - low) / (high - low))).quantize(PIXEL)}"
        for i, p in enumerate(points)
    )
    return "M" + "L".join(spots)
