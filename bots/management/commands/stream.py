"""The stream process: what the exchange says, taken in and passed on within milliseconds."""

import queue
import signal
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from django.core.management.base import BaseCommand
from kombu.exceptions import OperationalError

from bots.intake import Intake
from bots.tasks import sweep, tick_bot
from integrations.bybit.account import private_feed_from_settings, public_feed_from_settings
from integrations.bybit.streams import Event, public_topics
from integrations.tasks import repair_gaps

QUEUE = 20_000  # events; a feed that finds it full starts anew and is caught up by REST


class Command(BaseCommand):
    """Run the market and account streams until told to stop."""

    help = "Follow the exchange's market and account streams."

    def handle(self, *args: object, **options: object) -> None:
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        events: queue.Queue[Event] = queue.Queue(QUEUE)
        private = private_feed_from_settings(events)
        public = public_feed_from_settings((), events)
        symbols: list[str] = []

        def catch_up() -> None:
            """Ask for what was missed: fills and orders first, then bars."""
            _send(sweep.delay)
            _send(repair_gaps.delay, symbols)

        def follow(found: Sequence[str]) -> None:
            symbols[:] = found
            public.follow(public_topics(found))
            if not public.is_running:
                public.start()
            self.stdout.write(f"following {', '.join(found)}")

        intake = Intake(partial(_send, tick_bot.delay), catch_up, follow)
        private.start()
        try:
            intake.run(events, stopping)
        finally:
            for feed in (private, public):
                feed.stop()


def _send(nudge: Callable[..., object], *args: object) -> None:
    """Send a nudge if there is a broker: facts are kept without one, and a beat comes anyhow."""
    with suppress(OperationalError):
        nudge(*args)
