"""Numbers, times and words as a person reads them; static/js/format.js writes the same texts."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from html import escape
from typing import Any, NamedTuple

from django import template
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

NOTHING = "–"
MINUS = "−"
GAP = "\N{NO-BREAK SPACE}"
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SHORTENED = frozenset("₀₁₂₃₄₅₆₇₈₉")
LEADING_ZEROS = 4  # from this many zeros after the point they are counted, not written
UNITS = ((Decimal(10) ** 12, "T"), (Decimal(10) ** 9, "B"), (Decimal(10) ** 6, "M"))
DIGITS = 80  # precision of the rounding below; far above any amount on an exchange
TIMES = ("moment", "minute")
STATUSES = {
    "resting": "Resting",
    "in flight": "On its way",
    "withheld": "Withheld",
    "none": "No order",
}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Shown(NamedTuple):
    """A value on the page. `full` is what screen readers and copying get where `text` is short."""

    text: str
    full: str = ""
    tone: str = ""  # "up", "down", "side-buy", "side-sell"


def read(value: object) -> Decimal:
    """A decimal from the state's text. Raises TypeError for floats, which have lost digits."""
    if isinstance(value, float):
        raise TypeError(f"{value!r} is a float; the page shows decimal texts only")
    return Decimal(str(value))


def places_of(tick: str) -> int:
    """Decimal places of a price step: "0.01" has two, "1" none."""
    return len(tick.partition(".")[2].rstrip("0"))


def fixed(number: Decimal, places: int) -> str:
    """Plain digits with so many decimals, half to even, never an exponent."""
    with localcontext(prec=DIGITS):
        text = format(number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN), "f")
    return text.removeprefix("-") if not text.strip("-0.") else text


def bare(number: Decimal) -> str:
    """The number's own digits without trailing zeros."""
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def pretty(digits: str) -> str:
    """Thousands separated, a real minus sign, and counted zeros: 0.00000416 is written 0.0₅416."""
    sign, digits = (MINUS, digits[1:]) if digits.startswith("-") else ("", digits)
    whole, point, fraction = digits.partition(".")
    significant = fraction.lstrip("0")
    zeros = len(fraction) - len(significant)
    if whole == "0" and significant and zeros >= LEADING_ZEROS:
        return f"{sign}0.0{str(zeros).translate(SUBSCRIPTS)}{significant}"
    return f"{sign}{int(whole):,}{point}{fraction}"


def _plus(digits: str) -> str:
    return "+" if _tone(digits) == "up" else ""


def _tone(digits: str) -> str:
    if digits.startswith("-"):
        return "down"
    return "up" if digits.strip("0.") else ""


def show_price(number: Decimal, tick: str = "") -> Shown:
    """A price with the decimals of the exchange's tick; zero stays "0"."""
    digits = "0" if number == 0 else fixed(number, places_of(tick)) if tick else bare(number)
    text = pretty(digits)
    return Shown(text, "" if SHORTENED.isdisjoint(text) else digits)


def show_money(number: Decimal) -> Shown:
    """An amount of quote currency with two decimals."""
    return Shown(pretty(fixed(number, 2)))


def show_signed(number: Decimal) -> Shown:
    """A profit or loss: two decimals, and a sign unless it is nothing."""
    digits = fixed(number, 2)
    return Shown(_plus(digits) + pretty(digits), tone=_tone(digits))


def show_percent(number: Decimal) -> Shown:
    """A change in percent, signed."""
    digits = fixed(number, 2)
    return Shown(f"{_plus(digits)}{pretty(digits)}{GAP}%", tone=_tone(digits))


def show_size(number: Decimal) -> Shown:
    """A quantity; from a million on with three digits and a unit (79.3 M)."""
    digits = bare(number)
    for unit, name in UNITS:
        if abs(number) >= unit:
            places = max(0, 3 - len(str(int(abs(number) / unit))))
            return Shown(
                f"{pretty(bare(Decimal(fixed(number / unit, places))))}{GAP}{name}", digits
            )
    return show_price(number)


def show_count(number: Decimal) -> Shown:
    """A whole number of things."""
    return Shown(pretty(fixed(number, 0)))


NUMBERS = {
    "money": show_money,
    "signed": show_signed,
    "percent": show_percent,
    "size": show_size,
    "count": show_count,
}


def show_time(kind: str, value: str) -> Shown:
    """A UTC time: "moment" is 12 Jan 14:03:07, "minute" is 2026-01-12 14:03 UTC."""
    at = datetime.fromisoformat(value).astimezone(UTC)
    if kind == "minute":
        return Shown(f"{at:%Y-%m-%d %H:%M} UTC")
    return Shown(f"{at.day}{GAP}{MONTHS[at.month - 1]} {at:%H:%M:%S}")


def show(value: object, kind: str, tick: str = "") -> Shown:
    """A value of the state in one of the page's formats. Raises KeyError for an unknown format."""
    if value is None or value == "":
        return Shown("" if kind == "text" else NOTHING)
    text = str(value)
    if kind == "text":
        return Shown(text)
    if kind == "status":
        return Shown(STATUSES.get(text, text))
    if kind == "side":
        return Shown(text, tone=f"side-{text.lower()}")
    if kind in TIMES:
        return show_time(kind, text)
    number = read(value)
    return show_price(number, tick) if kind == "price" else NUMBERS[kind](number)


def node(value: object, kind: str, tick: str, attributes: Mapping[str, str]) -> SafeString:
    """The element that shows a value, with its raw value beside it."""
    shown = show(value, kind, tick)
    raw = "" if value is None else str(value)
    tag = "time" if kind in TIMES else "span"
    classes = f"{attributes.get('class', '')} {shown.tone}".strip()
    given = {**attributes, "class": classes, "data-format": kind, "data-raw": raw}
    if tag == "time":
        given["datetime"] = raw
    if kind == "status":
        given["data-status"] = raw
    # Put together by hand: a page has a thousand of them, and format_html takes ten times as long.
    written = "".join(f' {name}="{escape(text)}"' for name, text in given.items() if text)
    inside = escape(shown.text)
    if shown.full:
        full = escape(shown.full)
        inside = (
            f'<span class="pretty" aria-hidden="true" title="{full}">{inside}</span>'
            f'<span class="vh">{full}</span>'
        )
    return mark_safe(f"<{tag}{written}>{inside}</{tag}>")  # noqa: S308 - each part is escaped


def find(source: Any, path: str) -> Any:  # noqa: ANN401 - the state is JSON
    """What stands at a dotted path of the state; None where a part of the path is missing."""
    for part in path.split("."):
        if isinstance(source, Mapping):
            source = source.get(part)
        elif isinstance(source, Sequence) and not isinstance(source, str) and part.isdigit():
            source = source[int(part)] if int(part) < len(source) else None
        else:
            return None
    return source


@register.simple_tag(takes_context=True)
def live(context: template.Context, path: str, kind: str, classes: str = "") -> SafeString:
    """A value of the page's state that the browser keeps up to date.

    Inside a `{% with card=... %}` block a path that begins with "." belongs to that bot.
    """
    tick = ""
    if path.startswith("."):
        card = context["card"]
        path, tick = f"bots.{card['slug']}{path}", card["tick"] or ""
    return node(find(context["state"], path), kind, tick, {"class": classes, "data-live": path})


@register.simple_tag
def field(row: Mapping[str, object], name: str, kind: str, tick: str | None = "") -> SafeString:
    """A value of one row; the browser writes the same fields, also in rows that it adds."""
    return node(row.get(name), kind, tick or "", {"data-field": name})


@register.filter
def as_price(value: object, tick: str | None) -> str:
    """The bare text of a price, for sentences."""
    return show(value, "price", tick or "").text


@register.filter
def as_kind(value: object, kind: str) -> str:
    """The bare text of a value in one of the page's formats, for sentences and labels."""
    return show(value, kind).text


@register.filter
def tone_of(value: object, kind: str) -> str:
    """The class of a value's colour: "up", "down", or "" for neither."""
    return show(value, kind).tone
