"""Going on after a kill: only once it is done and both sides' books agree."""

import time

from bots import runner
from bots.books import reconcile
from bots.models import Bot
from bots.safety.course import State
from market.exchange import Exchange
from risk import halts

AGREE_WITHIN_S = 10.0


def rearm(
    exchange: Exchange, *, by: str, reason: str, origin: str = "", drill: bool = False
) -> None:
    """Lift the kill once our books agree with the exchange's; with `drill` none but a drill.

    Raises halts.NotPossible when it is not done yet or they do not, ExchangeError when the
    exchange does not answer. That the caller is an admin is the door's to know.
    """
    halt = halts.killed()
    if halt is None:
        return
    if halt.state != State.DONE:
        raise halts.NotPossible(f"the kill is {halt.state}; it can be lifted once it is DONE")
    found = agreed(exchange)
    if not found.agrees:
        first = "; ".join(f"{d.what}: {d.ours} / {d.theirs}" for d in found.differences[:3])
        raise halts.NotPossible(
            f"our books and the exchange's differ in {len(found.differences)} places ({first}); "
            "mend that first: manage.py reconcile"
        )
    halts.lift(halt, by=by, reason=reason, origin=origin, drill=drill)


def agreed(exchange: Exchange, within_s: float = AGREE_WITHIN_S) -> reconcile.Comparison:
    """Catch up and compare, again while they differ and there is time. Raises ExchangeError.

    Ticks look up what became of each order; they place nothing while a halt stands.
    """
    end = time.monotonic() + within_s
    while True:
        reconcile.sweep(exchange)
        for bot_id in Bot.objects.exclude(config=None).values_list("pk", flat=True):
            runner.run_once(bot_id, exchange, lambda _: None)
        found = reconcile.compare(exchange)
        if found.agrees or time.monotonic() > end:
            return found
        time.sleep(0.3)
