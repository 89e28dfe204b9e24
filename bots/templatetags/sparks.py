"""Small pictures of a price's path, drawn by the server."""

from collections.abc import Sequence
from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from bots.templatetags.numbers import pretty, read, show_percent

register = template.Library()

WIDTH, HEIGHT, MARGIN = 200, 48, 3
PIXEL = Decimal("0.1")


@register.simple_tag
def sparkline(points: Sequence[str], name: str) -> SafeString:
    """The path of prices, evenly spread over the width; what it shows is told in its label."""
    if len(points) < 2:  # noqa: PLR2004 - one point is no path
        return format_html('<p class="muted">{}</p>', "No path is known")
    prices = [read(point) for point in points]
    low, high = min(prices), max(prices)
    step, room = Decimal(WIDTH) / (len(prices) - 1), HEIGHT - 2 * MARGIN
    spots = (
        f"{(step * i).quantize(PIXEL)} {_height(price, low, high, room)}"
        for i, price in enumerate(prices)
    )
    change = show_percent((prices[-1] / prices[0] - 1) * 100)
    return format_html(
        '<svg class="mini week {}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" '
        'aria-label="{} over 7 days: {}, between {} and {}"><path class="spark" d="M{}"/></svg>',
        change.tone,
        WIDTH,
        HEIGHT,
        name,
        change.text,
        *(pretty(points[prices.index(edge)]) for edge in (low, high)),
        "L".join(spots),
    )


def _height(price: Decimal, low: Decimal, high: Decimal, room: int) -> Decimal:
    """From the top; a price that never moved runs through the middle."""
    share = (price - low) / (high - low) if high > low else Decimal("0.5")
    return (MARGIN + room * (1 - share)).quantize(PIXEL)
