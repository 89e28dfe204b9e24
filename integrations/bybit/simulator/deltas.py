"""Deep books are told once as a whole and then by their changes (Bybit v5, public orderbook)."""

from integrations.bybit.simulator.wire import Json

SIDES = ("b", "a")


def is_deep(topic: str) -> bool:
    """Whether a topic is a book that is told by changes; level 1 is always whole."""
    name, _, rest = topic.partition(".")
    return name == "orderbook" and not rest.startswith("1.")


class ShownBook:
    """A book as its listeners know it by now."""

    def __init__(self) -> None:
        self._sizes: dict[str, dict[str, str]] = {side: {} for side in SIDES}

    def changes(self, book: Json) -> Json:
        """Levels that are new or of another size, and those gone with size 0; nothing if equal."""
        rows: dict[str, list[list[str]]] = {}
        for side in SIDES:
            before, after = self._sizes[side], dict(book[side])
            rows[side] = [[price, "0"] for price in before if price not in after]
            rows[side] += [
                [price, size] for price, size in after.items() if before.get(price) != size
            ]
            self._sizes[side] = after
        return {**book, **rows} if any(rows.values()) else {}
