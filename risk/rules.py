"""What risk lets a bot do, and why not: pure rules, combined in a fixed order of priority."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a bot may rest on the book now. A text is the reason why it may not; "" is leave."""

    no_buys: str = ""
    no_sells: str = ""
    sell_out: bool = False  # leave the market: sell what is held, now

    def under(self, stricter: "Limits") -> "Limits":
        """These limits beneath stricter ones, whose reason shows where both forbid."""
        return Limits(
            no_buys=stricter.no_buys or self.no_buys,
            no_sells=stricter.no_sells or self.no_sells,
            sell_out=stricter.sell_out or (self.sell_out and not stricter.no_sells),
        )


FREE = Limits()


def halted(reason: str) -> Limits:
    """A halt: nothing may rest."""
    return Limits(no_buys=reason, no_sells=reason)


def withheld(reason: str) -> Limits:
    """A pause or a hold: no buys, sells rest."""
    return Limits(no_buys=reason)


def leaving(reason: str) -> Limits:
    """An exit at the market: no resting order, what is held is sold."""
    return Limits(no_buys=reason, no_sells=reason, sell_out=True)


def ranked(own: Limits, *, gate: Limits = FREE, halt: Limits = FREE, kill: Limits = FREE) -> Limits:
    """All limits of a bot in their fixed order: kill > stop-loss > halt > gate > pause > grid.

    `own` is what the bot's state leaves to it. When that is to leave the market (a stop-loss, or
    a person's wish to sell), it outranks a halt, and only a kill comes before it.
    """
    if own.sell_out:
        return FREE.under(gate).under(halt).under(own).under(kill)
    return own.under(gate).under(halt).under(kill)
