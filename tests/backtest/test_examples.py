"""Replays that can be worked out by hand."""

from dataclasses import replace
from decimal import Decimal

import pytest

from bots.backtest.replay import NoCandles, replay
from bots.backtest.report import figures, report, verdict, warnings
from bots.grid.levels import GridSpec, InvalidGrid, Sizing
from bots.grid.outcome import Plan
from market.types import Candle, Instrument, Side

D = Decimal
DAY, HOUR, MINUTE = 86_400_000, 3_600_000, 60_000
START = 1_767_225_600_000  # 2026-01-01
BTC = Instrument("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.00000001"), D(5), D(83))
# Bybit's published example: 45,000-65,000, 5 grids, 23,610 USDT, price 54,000.
PUBLISHED = Plan(GridSpec(D(45000), D(65000), 5, D(23610)), BTC)


def bars(*rows, step=HOUR):
    """Bars of (open, high, low, close), one `step` apart."""
    return [
        Candle("BTCUSDT", "", START + i * step, *map(D, row), D(1), D(1))
        for i, row in enumerate(rows)
    ]


def trades(outcome):
    return [(fill.side, fill.price, fill.quantity) for fill in outcome.fills]


FLAT = (54000, 54000, 54000, 54000)
BOUGHT, SOLD = D("0.08795882"), D("0.08787086")


def test_the_published_quantities_to_all_eight_digits():
    outcome = replay(PUBLISHED, bars(FLAT))
    assert trades(outcome) == [(Side.BUY, 54000, BOUGHT)] * 2
    assert figures(outcome)["quantity"] == "0.08795882"
    down = replay(PUBLISHED, bars(FLAT, (54000, 54000, 44000, 44000)))
    assert trades(down)[2:] == [(Side.BUY, price, BOUGHT) for price in (53000, 49000, 45000)]
    up = replay(PUBLISHED, bars(FLAT, (54000, 66000, 54000, 66000)))
    assert trades(up)[2:] == [(Side.SELL, price, SOLD) for price in (61000, 65000)]


def test_a_full_cycle_with_fees_and_every_figure():
    """Down to 52,000 buys at 53,000; up to 58,000 sells that at 57,000."""
    outcome = replay(PUBLISHED, bars(FLAT, (54000, 58000, 52000, 58000)))
    assert trades(outcome)[2:] == [(Side.BUY, 53000, BOUGHT), (Side.SELL, 57000, SOLD)]
    told = figures(outcome)
    assert (told["candles"], told["fills"], told["buys"], told["sells"]) == (2, 4, 3, 1)
    assert told["round_trips"] == 1
    assert told["levels"] == ["45000", "49000", "53000", "57000", "61000", "65000"]
    assert told["grid_profit"] == "341.81292098"  # 0.08787086 x 57,000 x 0.999 - 4,661.81746
    assert told["inventory_pnl"] == "0"
    # 2 x 0.08795882 x 54,000 and 0.08795882 x 53,000 in coins, 0.08787086 x 57,000 in money
    assert told["fees_quote"] == "19.17000904"
    assert told["base"] == "0.17574172354"  # two cells and the dust of the third
    assert told["quote"] == "14452.26036098"
    assert told["equity"] == "24645.2803263"
    assert told["total_pnl"] == "1035.2803263"
    assert told["apr_grid"] is told["apr_total"] is None  # two hours
    assert told["fills_per_day"] == "48"


def test_an_entry_is_split_into_grid_and_inventory_part():
    """Bought at 54,000 though its level is 57,000: the 3,000 a coin are inventory PnL."""
    told = figures(replay(PUBLISHED, bars(FLAT, (54000, 61500, 54000, 61500))))
    assert told["inventory_pnl"] == "263.87646"
    assert told["grid_profit"] == "341.10959754"


def test_a_price_on_a_level_starts_that_cell_holding():
    outcome = replay(PUBLISHED, bars((53000, 53000, 53000, 53000)))
    assert len(outcome.fills) == 3


def test_through_needs_more_than_touch():
    reached = bars(FLAT, (54000, 54000, 53000, 54000))
    assert len(replay(PUBLISHED, reached).fills) == 2
    assert len(replay(replace(PUBLISHED, rule="touch"), reached).fills) == 3


def test_the_path_decides_what_one_bar_can_do():
    """High 58,000 and low 52,000 of a falling bar; the low is nearer to the open."""
    both = bars(FLAT, (54000, 58000, 52000, 53500))
    assert [fill.side for fill in replay(PUBLISHED, both).fills[2:]] == [Side.BUY, Side.SELL]
    colored = replay(replace(PUBLISHED, path="color"), both)
    assert [fill.side for fill in colored.fills[2:]] == [Side.BUY]


def test_a_jump_over_the_grid_fills_at_the_orders_own_prices():
    outcome = replay(PUBLISHED, bars(FLAT, (40000, 40000, 40000, 40000)))
    assert [fill.price for fill in outcome.fills[2:]] == [53000, 49000, 45000]
    assert {fill.time for fill in outcome.fills[2:]} == {START + HOUR}


def test_maker_and_taker_pay_their_own_rates():
    plan = replace(PUBLISHED, maker=D("-0.0001"), taker=D("0.002"))
    outcome = replay(plan, bars(FLAT, (54000, 58000, 52000, 58000)))
    taken, _, bought, sold = outcome.fills
    assert taken.fee == BOUGHT * D("0.002")
    assert bought.fee == BOUGHT * D("-0.0001")
    assert sold.fee == sold.notional * D("-0.0001")


def test_drawdown_is_the_greatest_fall_over_closes():
    """One coin-like grid, all held: equity follows closes 100, 120, 90, 130, 110."""
    spec = GridSpec(D(1000), D(2000), 1, D(1000), reserve=D(0))
    instrument = replace(BTC, lot=D(1), tick=D("0.01"))
    plan = Plan(spec, instrument, maker=D(0), taker=D(0))
    closes = [100, 120, 90, 130, 110]
    outcome = replay(plan, bars(*((c, c, c, c) for c in closes)))
    assert outcome.base == 10
    assert figures(outcome)["max_drawdown"] == "0.25"  # 1,200 to 900; 1,300 to 1,100 is less
    assert figures(outcome)["out_of_range_share"] == "1"


def test_yearly_rates_are_simple_and_shown_from_a_day_on():
    half = [FLAT, (54000, 58000, 52000, 58000)]
    outcome = replay(PUBLISHED, bars(*half, step=DAY // 2))
    told = figures(outcome)
    assert told["apr_grid"] == str((D("341.81292098") / 23610 * 365).quantize(D("1e-12")))
    assert told["fills_per_day"] == "4"
    assert figures(replay(PUBLISHED, bars(*half, step=DAY // 2 - 1)))["apr_grid"] is None


def test_out_of_range_counts_closes_beyond_the_outer_levels():
    rows = [FLAT, (54000, 65000, 54000, 65000), (65000, 65001, 65000, 65001), (1, 44999, 1, 44999)]
    assert figures(replay(PUBLISHED, bars(*rows)))["out_of_range_share"] == "0.5"


def test_a_quantity_for_each_cell_where_money_is_equal():
    plan = replace(PUBLISHED, spec=replace(PUBLISHED.spec, sizing=Sizing.QUOTE))
    share = D(23610) * D("0.95") / 5
    told = figures(replay(plan, bars(FLAT)))
    prices = (45000, 49000, 53000, 54000, 54000)
    assert told["quantity"] == [
        str((share / price).quantize(D("1e-8"), "ROUND_DOWN")) for price in prices
    ]


def test_nothing_to_replay_and_impossible_grids():
    with pytest.raises(NoCandles):
        replay(PUBLISHED, [])
    with pytest.raises(InvalidGrid):
        replay(
            replace(PUBLISHED, spec=replace(PUBLISHED.spec, grids=10**4, upper=D(45100))),
            bars(FLAT),
        )


def test_watch_sees_every_bar_with_its_equity():
    seen = []
    outcome = replay(PUBLISHED, bars(FLAT, FLAT), lambda bar, equity: seen.append((bar, equity)))
    assert [bar.time for bar, _ in seen] == [START, START + HOUR]
    assert seen[-1][1] == outcome.equity


def test_the_report_says_it_in_words():
    outcome = replay(PUBLISHED, bars(FLAT, (54000, 58000, 52000, 58000), step=DAY))
    told = report(outcome)
    assert "started at 54000 with 2 of 5 cells bought at the market, ended at 58000" in told
    rows = [line.split() for line in told.splitlines()]
    assert ["Grid", "profit", "341.81", "1.45", "%"] in rows
    assert ["Total", "PnL", "1,035.28", "4.38", "%"] in rows
    assert "4 (3 buys, 1 sells)" in told
    assert "No queue, no delay" in told
    assert verdict(outcome).startswith("The grid earned 1,035.28 USDT (4.38 % of its capital)")
    assert "worse than buying and holding" in verdict(outcome)
    assert not list(warnings(outcome))


def test_the_report_warns_of_what_a_reader_must_know():
    plan = replace(PUBLISHED, spec=replace(PUBLISHED.spec, lower=D(53900), upper=D(54100)))
    (fees, short) = warnings(replay(plan, bars(FLAT)))
    assert "fees eat the whole step" in fees
    assert "less than a day" in short
    swings = [(54000, 54090, 53910, 54000)] * 3000
    warned = list(warnings(replay(plan, bars(*swings))))
    assert any("could not have bought on" in text for text in warned)


def test_missing_bars_are_told():
    gappy = bars(*[FLAT] * 5)
    assert "; 1 missing" in report(replay(PUBLISHED, [*gappy[:2], *gappy[3:]]))
