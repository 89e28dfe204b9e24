"""Check 16: every pair of colours that the pages put together, in every palette."""

import re
from pathlib import Path

import pytest

from tests.acceptance.checks import Note

TOKENS = Path(__file__).resolve().parents[2] / "static" / "tokens.css"
SURFACES = ("bg", "card", "raised")
TEXTS = (
    "text", "strong", "muted", "link", "accent-ink", "success-ink", "warning-ink", "danger-ink",
    "up", "down", "buy", "sell",
)  # fmt: skip
ON_SUNKEN = ("text", "strong", "muted", "link")  # money and sides of orders never stand there
GRAPHICS = ("line-strong", "focus")
TINTED = [(f"{name}-ink", f"{name}-tint") for name in ("accent", "success", "warning", "danger")]
PAIRS = [
    *((text, surface, 4.5) for text in TEXTS for surface in SURFACES),
    *((text, "sunken", 4.5) for text in ON_SUNKEN),
    *((ink, tint, 4.5) for ink, tint in TINTED),
    *(("text", tint, 4.5) for _, tint in TINTED),
    *((f"h{shade}t", f"h{shade}", 4.5) for shade in range(6)),
    ("on-primary", "primary-btn", 4.5),
    *((mark, surface, 3.0) for mark in GRAPHICS for surface in SURFACES),
]
Palette = dict[str, str]


def rules() -> list[tuple[str, Palette]]:
    """Selectors with the tokens that they set, in their order."""
    text = re.sub(r"/\*.*?\*/", "", TOKENS.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [
        (selector.strip(), dict(re.findall(r"--([\w-]+):\s*([^;]+);", body)))
        for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", text)
    ]


def chosen(selector: str) -> Palette:
    """What the first rule with that selector sets."""
    return next(found for each, found in rules() if each == selector)


def palettes() -> dict[str, Palette]:
    """The values of all tokens in each palette, as the cascade leaves them."""
    light, other = chosen(":root"), chosen(":root[data-money=cvd]")
    dark = light | chosen(":root[data-theme=dark]")
    return {
        "light": light,
        "dark": dark,
        "light, blue and orange": light | other,
        "dark, blue and orange": dark | other,
    }


def colour(palette: Palette, name: str) -> tuple[float, float, float]:
    value = palette[name].strip()
    while found := re.fullmatch(r"var\(--([\w-]+)\)", value):
        value = palette[found[1]].strip()
    red, green, blue = (int(value[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return red, green, blue


def luminance(rgb: tuple[float, float, float]) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in rgb]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(palette: Palette, one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    low, high = sorted(luminance(colour(palette, name)) for name in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.check(16)
def test_every_pair_reads(measured: Note) -> None:
    found = [
        (contrast(palette, one, other), needed, name, one, other)
        for name, palette in palettes().items()
        for one, other, needed in PAIRS
    ]
    least = {need: min(ratio for ratio, needed, *_ in found if needed == need) for need in (4.5, 3)}
    measured(f"{least[4.5]:.2f}; {least[3]:.2f} over {len(found)} pairs")
    assert [each for each in found if each[0] < each[1]] == []


def test_dark_is_the_same_by_choice_and_by_the_system() -> None:
    assert chosen(":root:not([data-theme=light])") == chosen(":root[data-theme=dark]")
