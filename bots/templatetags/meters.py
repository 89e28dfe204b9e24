"""Bars that show a value against its limit or its band, drawn on the server."""

from decimal import Decimal

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from bots.templatetags.numbers import read

register = template.Library()

WIDTH = 300


@register.simple_tag
def meter(filled: object, tone: str = "ok") -> SafeString:
    """How much of a limit is used: `filled` from 0 to 1; nothing is drawn without it."""
    if filled is None or filled == "":
        return SafeString("")
    width = (min(Decimal(1), max(Decimal(0), read(filled))) * (WIDTH - 2)).quantize(Decimal(1))
    return format_html(
        '<svg class="meter" viewBox="0 0 {} 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" x=".5" y="1.5" width="{}" height="7"/>'
        '<rect class="used {}" x="1" y="2" width="{}" height="6"/></svg>',
        WIDTH,
        WIDTH - 1,
        tone,
        width,
    )


@register.simple_tag
def band_meter(spots: dict[str, str] | None) -> SafeString:
    """A value's mark on a scale with the goal's band; `spots` are shares of the scale."""
    if not spots:
        return SafeString("")
    low, high, at = (read(spots[name]) * WIDTH for name in ("low", "high", "at"))
    return format_html(
        '<svg class="meter" viewBox="0 0 {} 14" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" x=".5" y="4.5" width="{}" height="5"/>'
        '<rect class="band" x="{}" y="2.5" width="{}" height="9"/>'
        '<rect class="mark" x="{}" y="0" width="3" height="14"/></svg>',
        WIDTH,
        WIDTH - 1,
        low.quantize(Decimal("0.1")),
        (high - low).quantize(Decimal("0.1")),
        min(Decimal(WIDTH - 3), max(Decimal(0), at - 1)).quantize(Decimal("0.1")),
    )
