"""`manage.py backfill`: history from the exchange or from a file; run again, it goes on."""

from argparse import ArgumentParser
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from integrations import history
from integrations.bybit.account import gateway_from_settings
from integrations.progress import Bar
from market import gaps
from market.candlefile import CandleFile, CandleFileError
from market.exchange import ExchangeError
from market.intervals import LENGTH_MS
from market.sieve import GENESIS_MS
from market.types import milliseconds, moment


class Command(BaseCommand):
    """Bars that are there already are not asked for again."""

    help = "Fetch bars of a pair from the exchange, or read them from a candle file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--symbol", required=True, help="for example BTCUSDT")
        parser.add_argument("--interval", default="1", choices=list(LENGTH_MS))
        parser.add_argument("--from", dest="start", type=_time, help="2026-01-31[T12:00], UTC")
        parser.add_argument("--to", dest="end", type=_time, help="likewise; now when left out")
        parser.add_argument("--file", type=Path, help="a candle file, CSV or CSV in gzip")

    def handle(self, *args: object, **given: Any) -> None:  # noqa: ANN401 - Django's signature
        symbol, interval = given["symbol"], given["interval"]
        try:
            if given["file"] is not None:
                self._read(symbol, interval, given)
            elif given["start"] is None:
                raise CommandError("--from is needed, for example --from 2026-01-31; or --file")
            else:
                self._fetch(symbol, interval, given["start"], given["end"])
        except CandleFileError as error:
            raise CommandError(str(error)) from error
        except ExchangeError as error:
            raise CommandError(f"{error}; run it again to go on from here") from error
        except ValueError as error:
            raise CommandError(str(error)) from error

    def _fetch(self, symbol: str, interval: str, start: int, end: int | None) -> None:
        exchange = gateway_from_settings()
        now = exchange.tick(symbol).time
        span = gaps.whole_bars(interval, max(start, GENESIS_MS), min(end or now, now))
        if span is None:
            raise CommandError(
                f"no whole bar between --from and --to; the exchange's clock says {moment(now)}"
            )
        holes = gaps.missing(symbol, interval, span)
        wanted = sum(hole.bars(interval) for hole in holes)
        self.stdout.write(f"{span.bars(interval) - wanted} bars are here, {wanted} are missing")
        with Bar(self.stderr, wanted, "bars") as bar:
            history.fetch(exchange, symbol, interval, holes, now, progress=bar.advance)
        left = sum(hole.bars(interval) for hole in gaps.missing(symbol, interval, span))
        self.stdout.write(f"{wanted - left} bars came; {left} the exchange does not have")

    def _read(self, symbol: str, interval: str, given: dict[str, Any]) -> None:
        rows = CandleFile(given["file"], symbol, since=given["start"], until=given["end"])
        bars = (replace(candle, interval=interval, closed=True) for candle in rows)
        with Bar(self.stderr, 1, "file") as bar:
            taken = history.take_in(bars, symbol, interval, lambda: bar.reach(rows.share))
        self.stdout.write(f"{taken.written} bars are new or changed")
        for (_, reason), count in sorted(taken.refused.items()):
            self.stderr.write(f"{count} refused: {reason}")


def _time(text: str) -> int:
    """A moment in UTC as exchange time, ms. Raises ValueError, which argparse shows."""
    time = datetime.fromisoformat(text)
    return milliseconds(time if time.tzinfo else time.replace(tzinfo=UTC))
