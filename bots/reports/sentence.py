"""The state of the house in a sentence: what runs, what does not, and why."""

from collections.abc import Mapping, Sequence
from typing import Any

STALE_S = 15  # a price that is this old is worth saying
_NUMBERS = ["No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten"]

Card = Mapping[str, Any]


def sentence(cards: Sequence[Card]) -> dict[str, str]:
    """Level (ok, warn or bad), the lead, and the particulars."""
    running = [card for card in cards if card["state"] == "running"]
    lead = _lead(len(running), len(cards))
    if halted := [card for card in cards if card["state"] in {"halted", "stopped"}]:
        return {"level": "bad", "lead": lead, "text": _tell(halted)}
    stale = [card for card in cards if _is_stale(card)]
    if stale:
        names = ", ".join(card["name"] for card in stale)
        return {"level": "warn", "lead": lead, "text": f"The price of {names} is not fresh."}
    if resting := [card for card in cards if card["state"] != "running"]:
        return {"level": "warn", "lead": lead, "text": _tell(resting)}
    if refused := [card for card in cards if card["resting"]["withheld"]]:
        text = " ".join(f"{card['name']}: {_first_reason(card)}." for card in refused)
        return {"level": "warn", "lead": lead, "text": text}
    buys = sum(card["resting"]["buys"] for card in cards)
    sells = sum(card["resting"]["sells"] for card in cards)
    return {"level": "ok", "lead": lead, "text": f"{buys} buys and {sells} sells rest."}


def _lead(running: int, grids: int) -> str:
    if not grids:
        return "No grid is deployed."
    if running == grids:
        return f"All {_word(grids).lower()} grids run." if grids > 1 else "The grid runs."
    verb = "runs" if running == 1 else "run"
    return f"{_word(running)} of {_word(grids).lower()} grids {verb}."


def _word(number: int) -> str:
    return _NUMBERS[number] if number < len(_NUMBERS) else str(number)


def _tell(cards: Sequence[Card]) -> str:
    told = []
    for card in cards:
        why = f" ({card['reason']})" if card["reason"] else ""
        told.append(f"{card['name']} is {card['state_text'].lower()}{why}.")
    return " ".join(told)


def _is_stale(card: Card) -> bool:
    return card["price"] is None or card["price"]["age_s"] > STALE_S


def _first_reason(card: Card) -> str:
    return next(rung["reason"] for rung in card["cells"] if rung["reason"])
