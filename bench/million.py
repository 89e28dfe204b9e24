"""The pages and the admin when a million fills are behind them: how long an answer takes.

BENCH_FILLS says how many, a million unless told otherwise.
"""

import os
import statistics
import time
from collections.abc import Iterator

from bench.candles import Figures, database

FILLS = int(os.environ.get("BENCH_FILLS", "1000000"))
LOOKS = 7
PAGES = (
    "/", "/bots/btc-usdt/", "/orders/?tab=fills", "/orders/?tab=trips&bot=btc-usdt&cell=3",
    "/audit/", "/api/bots", "/api/fills", "/api/metrics", "/admin/bots/fill/",
    "/admin/bots/fill/?bot__id__exact=1", "/admin/bots/fill/?q=execution-77",
    "/admin/bots/order/", "/admin/bots/roundtrip/", "/admin/bots/booking/",
    "/admin/bots/bookline/", "/admin/bots/gridconfig/",
)  # fmt: skip
PRICES = {"BTCUSDT": 97_000, "MNTUSDT": "1.08", "DOGEUSDT": "0.137", "PEPEUSDT": "0.00000447"}

# One buy and one sell after the other in the cells of each bot, a minute apart; each sell closes
# a round trip. Triggers are left out: what they write follows in one statement each.
ORDERS = """
INSERT INTO bots_order (client_id, order_id, acts_as, bot_id, config_id, cell, symbol, side, price,
    quantity, time_in_force, status, filled, reason, settled, created_at, not_found, updated)
SELECT b.tag || 'v1-' || n / 2 %% c.grids || '-' || n / 2 / c.grids || '-'
       || CASE n %% 2 WHEN 0 THEN 'B' ELSE 'S' END || '-0',
    'x' || b.id || '-' || n, '', b.id, c.id, n / 2 %% c.grids, b.symbol,
    CASE n %% 2 WHEN 0 THEN 'Buy' ELSE 'Sell' END, c.lower + n %% 2, 1, 'PostOnly', 'filled', 1, '',
    true, now() - make_interval(mins => %(each)s - n), 0, 0
FROM bots_bot b JOIN bots_gridconfig c ON c.id = b.config_id, generate_series(0, %(each)s - 1) n
"""
FILLED = """
INSERT INTO bots_fill (exec_id, order_id, bot_id, symbol, side, price, quantity, fee, fee_coin,
    is_maker, time, received_at, booked)
SELECT 'execution-' || id, id, bot_id, symbol, side, price, quantity, 0.001, 'USDT', true,
    created_at, created_at, true FROM bots_order
"""
TRIPS = """
INSERT INTO bots_roundtrip (bot_id, config_id, cell, trip, entry, bought, sold, cost, proceeds,
    grid_profit, inventory_pnl, opened, closed)
SELECT bot_id, config_id, cell, split_part(client_id, '-', 3)::int, false, 1, 1, price - 1, price,
    0.998, 0, created_at - interval '1 minute', created_at FROM bots_order WHERE side = 'Sell'
"""
BOOKED = """
INSERT INTO bots_booking (kind, at, fill_id) SELECT 'fill', time, id FROM bots_fill
"""
LINES = """
INSERT INTO bots_bookline (booking_id, account, bot_id, coin, amount)
SELECT b.id, line.account, f.bot_id, line.coin, line.amount
FROM bots_booking b JOIN bots_fill f ON f.id = b.fill_id
JOIN market_instrument pair ON pair.symbol = f.symbol
CROSS JOIN LATERAL (SELECT CASE f.side WHEN 'Buy' THEN 1 ELSE -1 END AS way) w
CROSS JOIN LATERAL (VALUES
    ('market', pair.base, -way * f.quantity), ('bot', pair.base, way * f.quantity),
    ('bot', pair.quote, -way * f.price * f.quantity),
    ('market', pair.quote, way * f.price * f.quantity),
    ('bot', f.fee_coin, -f.fee), ('fees', f.fee_coin, f.fee)) line (account, coin, amount)
"""
MARKS = """
INSERT INTO bots_staleday (day) SELECT DISTINCT (time AT TIME ZONE 'UTC')::date FROM bots_fill
"""


def run() -> Iterator[Figures]:
    """Median and slowest answer of each page, ms, warm."""
    with database():
        began = time.perf_counter()
        client = _furnish()
        made = round(time.perf_counter() - began)
        for path in PAGES:
            times, queries = _looked_at(client, path)
            yield {
                "benchmark": "million", "fills": FILLS, "made_s": made, "page": path,
                "p50_ms": round(statistics.median(times), 1), "max_ms": round(max(times), 1),
                "queries": queries,
            }  # fmt: skip


def _furnish() -> "Client":  # noqa: F821 - Django has to be set up first
    """Four bots at work with so many fills between them; answers a browser of their operator."""
    from django.contrib.auth.models import User  # noqa: PLC0415
    from django.db import connection, transaction  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from bots import roles, seeds, store  # noqa: PLC0415
    from bots.books import days  # noqa: PLC0415
    from bots.grid.cells import build  # noqa: PLC0415
    from bots.models import CapitalMove  # noqa: PLC0415
    from bots.terms import spec_of  # noqa: PLC0415
    from integrations.bybit.simulator.pairs import load_pairs  # noqa: PLC0415
    from tests.factories import InstrumentFactory, PriceFactory  # noqa: PLC0415

    pairs = load_pairs()
    for symbol, price in PRICES.items():
        pair = pairs[symbol].instrument
        InstrumentFactory(
            symbol=symbol, tick=pair.tick, lot=pair.lot, min_notional=pair.min_notional
        )
        PriceFactory(symbol=symbol, last=price, time=timezone.now())
    CapitalMove.objects.create(coin="USDT", amount=34_000, opening=True)
    for bot in seeds.seed_bots():
        lease = store.take_lease(bot.pk)
        grid = build(
            bot.config.grid_name, spec_of(bot.config), pairs[bot.symbol].instrument,
            type(bot.config.lower)(PRICES[bot.symbol]),
        )  # fmt: skip
        store.create_cells(lease, grid, deployed=1_700_000_000_000)
        store.release(lease)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(ORDERS, {"each": FILLS // len(PRICES)})
        for statement in (FILLED, TRIPS, BOOKED, LINES, MARKS):
            cursor.execute(statement)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
    days.keep()
    roles.ensure_groups()
    user = User.objects.create_superuser("operator", password=None)
    roles.give(user, roles.Role.ADMIN)
    client = Client()
    client.force_login(user)
    return client


def _looked_at(client: "Client", path: str) -> tuple[list[float], int]:  # noqa: F821
    from django.db import connection  # noqa: PLC0415
    from django.test.utils import CaptureQueriesContext  # noqa: PLC0415

    with CaptureQueriesContext(connection) as queries:
        _answered(client, path)
        asked = len(queries)  # before another request forgets them
    return [_answered(client, path) for _ in range(LOOKS)], asked


def _answered(client: "Client", path: str) -> float:  # noqa: F821
    began = time.perf_counter()
    answer = client.get(path, headers={"host": "127.0.0.1"})
    if answer.status_code != 200:  # noqa: PLR2004 - HTTP's OK
        raise RuntimeError(f"{path} was answered with {answer.status_code}")
    return (time.perf_counter() - began) * 1000
