"""Profit capture: the plan replayed over versions and spells, and causes that add up to the gap."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone

from bots.backtest.ideal import Hold, Ideal, Stage
from bots.backtest.replay import replay
from bots.books import capture, spells
from bots.grid.levels import GridSpec
from bots.grid.outcome import Plan
from bots.grid.trailing import Trailing
from bots.models import Bot, Capture, FeeRate, GridConfig, RoundTrip, Spell
from bots.reports import cards, metrics
from bots.roles import Role
from market.models import Candle as Bar
from market.models import Instrument, Price
from market.types import Candle, OrderStatus, moment
from risk.models import Guard, Halt
from risk.rules import halted, withheld
from tests.backtest.cases import CASES, plan_of
from tests.factories import OrderFactory, PriceFactory, UserFactory
from tests.grid.examples import BTC

D = Decimal
FEE = D("0.001")
MINUTE = 60_000
START = 1_700_000_000_000 // MINUTE * MINUTE + MINUTE
SPEC = GridSpec(D(45000), D(65000), 5, D(23610))
CYCLE = D("341.81292098")  # cell 2: bought at 53,000, sold at 57,000, fees paid


def bars(*closes: int) -> list[Candle]:
    """Minutes that go straight from close to close."""
    found, before = [], D(closes[0])
    for number, close in enumerate(map(D, closes)):
        prices = before, max(before, close), min(before, close), close
        found.append(Candle("BTCUSDT", "1", START + number * MINUTE, *prices, D(1), D(1)))
        before = close
    return found


def plan(*closes: int, holds: tuple[Hold, ...] = (), stages: tuple[Stage, ...] = ()) -> Ideal:
    ideal = Ideal(BTC, FEE, FEE)
    ideal.go_on(bars(*closes), stages or (Stage(1, SPEC, START),), holds)
    return ideal


def test_with_nothing_in_its_way_it_is_the_backtest() -> None:
    case = CASES[0]
    wish = plan_of(case, "arithmetic", "base", "nearest", "through")
    ideal = Ideal(wish.instrument, wish.maker, wish.taker)
    candles = case.candles()
    ideal.go_on(candles[:500], [Stage(1, wish.spec, 0)])
    ideal.go_on(candles[500:], [Stage(1, wish.spec, 0)])
    assert [trip for _, trip in ideal.trips] == list(replay(wish, candles).round_trips)


def test_while_buys_are_withheld_passages_are_missed() -> None:
    """Two falls below 53,000; over the first one no buy rests."""
    path = (54000, 52900, 57100, 54000, 52900, 57100)
    assert plan(*path).grid_profit == 2 * CYCLE
    closed = Hold(START, START + 3 * MINUTE, withheld("gate"))
    assert plan(*path, holds=(closed,)).grid_profit == CYCLE


def test_what_passed_while_nothing_rested_is_had_at_the_market() -> None:
    """Halted from holding until above its level: sold at 58,000 by a taker, not at 57,000."""
    gone = Hold(START + 2 * MINUTE, START + 3 * MINUTE, halted("halt"))
    (_, trip), *_ = plan(54000, 52900, 58000, 58000, holds=(gone,)).trips
    assert trip.proceeds == D("0.08787086") * 58000 * (1 - FEE)


def test_an_edit_goes_on_with_what_is_held() -> None:
    """Version 2 keeps cell 2 and halves what is bought next: the trip on its way ends as begun.

    11,805 x 0.95 / (45,000 + 49,000 + 3 x 52,900) are 0.04437969 a cell.
    """
    half = GridSpec(D(45000), D(65000), 5, D(11805))
    stages = (Stage(1, SPEC, START), Stage(2, half, START + 2 * MINUTE))
    ideal = plan(54000, 52900, 52900, 57100, 54000, 52900, 57100, stages=stages)
    mine = [trip for _, trip in ideal.trips if trip.cell == 2]
    assert [version for version, trip in ideal.trips if trip.cell == 2] == [2, 2]
    assert mine[0].grid_profit == CYCLE
    assert mine[1].bought == D("0.04437969")


RISE = (54000, 61100, 69100, 64900, 69100)  # a step of 4,000 above the top, down and up again


def test_a_plan_that_trails_is_the_backtest_that_trails() -> None:
    """Laid on top, the lowest cell buys at 65,000 and sells at 69,000; else that is missed."""
    trails = plan(*RISE, stages=(Stage(1, SPEC, START, Trailing()),))
    outcome = replay(Plan(SPEC, BTC, FEE, FEE, trailing=Trailing()), bars(*RISE))
    assert [trip for _, trip in trails.trips] == list(outcome.round_trips)
    assert len(outcome.shifts) == 1
    assert trails.trips[-1][1].cell == 0
    assert trails.grid_profit > plan(*RISE).grid_profit


# --- what is kept of bots ------------------------------------------------------------------------


@pytest.fixture
def recorded(running: Bot) -> Bot:
    """Two falls and rises on record after the deployment, and a market that has gone on."""
    keep(bars(54000, 52900, 57100, 54000, 52900, 57100, 57100, 57100, 57100))
    PriceFactory(symbol="BTCUSDT", last=D(57100), time=moment(START + 9 * MINUTE))
    return running


def keep(minutes: list[Candle]) -> None:
    for bar in minutes:
        Bar.objects.create(
            symbol="BTCUSDT", interval="1", time=moment(bar.time), open=bar.open, high=bar.high,
            low=bar.low, close=bar.close, volume=1, turnover=1, closed=True,
        )  # fmt: skip


def trip(bot: Bot, number: int = 0) -> RoundTrip:
    return RoundTrip.objects.create(
        bot=bot, config=bot.config, cell=2, trip=number, entry=False, bought=D("0.08795882"),
        sold=D("0.08787086"), cost=D("4661.81746"), proceeds=D("5003.63038098"),
        grid_profit=CYCLE, inventory_pnl=0, opened=moment(START), closed=moment(START + MINUTE),
    )  # fmt: skip


def spell(bot: Bot, kind: Spell.Kind, first: int, last: int) -> None:
    times = {"since": moment(START + first * MINUTE), "until": moment(START + last * MINUTE)}
    Spell.objects.create(bot=bot, kind=kind, seen_at=timezone.now(), **times)


def taken(bot: Bot) -> Capture:
    capture.Measures().take()
    return Capture.objects.get(bot=bot)


def adds_up(found: Capture) -> bool:
    missed = sum(getattr(found, cause) for cause in capture.CAUSES)
    return found.planned - found.realised == missed


def test_all_of_the_plan_is_captured(recorded: Bot) -> None:
    trip(recorded, 0)
    trip(recorded, 1)
    found = taken(recorded)
    assert (found.planned, found.realised) == (2 * CYCLE, 2 * CYCLE)
    assert not any(getattr(found, cause) for cause in capture.CAUSES)


@pytest.mark.parametrize("kind", ["gate", "paused", "halted"])
def test_what_a_spell_cost_is_told_by_its_cause(recorded: Bot, kind: str) -> None:
    spell(recorded, Spell.Kind(kind), 0, 3)
    trip(recorded)
    found = taken(recorded)
    assert getattr(found, kind) == CYCLE
    assert adds_up(found)
    assert sum(abs(getattr(found, cause)) for cause in capture.CAUSES) == CYCLE


def test_refusals_and_late_orders_are_told_apart(recorded: Bot) -> None:
    found = taken(recorded)
    assert (found.rejected, found.latency) == (0, 2 * CYCLE)
    OrderFactory(bot=recorded, cell=2, status=OrderStatus.REJECTED)
    found = taken(recorded)
    assert (found.rejected, found.latency, found.other) == (CYCLE, CYCLE, 0)
    assert adds_up(found)


def test_later_bars_are_replayed_once_and_the_figures_go_on(recorded: Bot) -> None:
    measures = capture.Measures()
    Price.objects.update(time=moment(START + 5 * MINUTE))
    measures.take()
    assert Capture.objects.get().planned == CYCLE
    Price.objects.update(time=moment(START + 9 * MINUTE))
    measures.take()
    assert Capture.objects.get().planned == 2 * CYCLE == taken(recorded).planned


def test_capture_is_shown_with_its_causes_once_a_day_has_run(recorded: Bot) -> None:
    spell(recorded, Spell.Kind.GATE, 0, 3)
    spell(recorded, Spell.Kind.FREE, 3, 9)
    trip(recorded)
    taken(recorded)
    assert metrics.of_bot(recorded)["capture"] is None
    recorded.deployed_at -= timedelta(days=1)
    told = metrics.of_bot(recorded)
    assert told["capture"] == "0.5"
    assert told["captured"]["missed"]["gate"] == "341.81292098"
    assert told["captured"]["time"] == {"gate": "0.3333", "free": "0.6667"}


def test_the_plan_of_a_bot_that_trails_trails_too(running: Bot) -> None:
    """Kept as its plan: at the usual fee, and at the rate that the exchange has told."""
    GridConfig.objects.update(trailing_up=True)
    keep(bars(*RISE, 69100, 69100, 69100))
    PriceFactory(symbol="BTCUSDT", last=D(69100), time=moment(START + 8 * MINUTE))
    usual = plan(*RISE, stages=(Stage(1, SPEC, START, Trailing()),))
    assert taken(running).planned == usual.grid_profit
    told = {"maker": D("0.0002"), "taker": D("0.001"), "asked_at": timezone.now()}
    FeeRate.objects.create(symbol="BTCUSDT", **told)
    assert taken(running).planned > usual.grid_profit


def test_what_the_gate_cost_is_on_the_bots_card_from_the_first_look(
    recorded: Bot, client: Client
) -> None:
    assert cards.card(recorded)["gate_missed"] is None, "it has no gate"
    GridConfig.objects.update(btc_filter=True)
    spell(recorded, Spell.Kind.GATE, 0, 3)
    trip(recorded)
    assert cards.card(recorded)["gate_missed"] is None, "nothing is replayed yet"
    found = taken(recorded)
    assert cards.card(recorded)["gate_missed"] == str(CYCLE) == str(found.gate.normalize())
    client.force_login(UserFactory(role=Role.VIEWER))
    page = client.get("/bots/btc-usdt/").content.decode()
    assert "Missed while its gate was closed" in page
    assert "341.81" in page


# --- spells --------------------------------------------------------------------------------------


def kind(bot: Bot) -> str:
    return spells.kind_of(bot, Price.objects.get(symbol="BTCUSDT"))


def test_the_gravest_of_several_causes_is_told(recorded: Bot) -> None:
    config = recorded.config
    assert kind(recorded) == "free"
    Price.objects.update(last=D(70_000))
    assert kind(recorded) == "outside"
    guard = Guard.objects.create(
        name="BTC gate", subject="btc-filtered", state="tripped", no_buys=True,
        since=timezone.now(), checked_at=timezone.now(),
    )  # fmt: skip
    assert kind(recorded) == "outside", "it has no filter"
    config.btc_filter = True
    assert kind(recorded) == "gate"
    recorded.state = Bot.State.PAUSED
    assert kind(recorded) == "paused"
    guard.pk, guard.name, guard.subject = None, "feed", "pair:BTCUSDT"
    guard.save()
    assert kind(recorded) == "halted"
    Guard.objects.all().delete()
    Halt.objects.create(subject="all", reason="drill", opened_by="tests")
    assert kind(recorded) == "halted"


def test_spells_follow_each_other_without_gaps_while_somebody_looks(recorded: Bot) -> None:
    spells.record()
    at(START + 20 * MINUTE)
    spells.record()
    Bot.objects.update(state=Bot.State.PAUSED)
    at(START + 30 * MINUTE)
    spells.record()
    at(START + 40 * MINUTE)
    spells.record()
    found = Spell.objects.order_by("id").values_list("kind", "since", "until")
    assert list(found) == [
        ("free", moment(START + 9 * MINUTE), moment(START + 30 * MINUTE)),
        ("paused", moment(START + 30 * MINUTE), moment(START + 40 * MINUTE)),
    ]


def at(time: int) -> None:
    Price.objects.update(time=moment(time))


def test_time_that_nobody_saw_is_nobodys(recorded: Bot) -> None:
    spells.record()
    Spell.objects.update(seen_at=datetime(2026, 1, 1, tzinfo=UTC))
    at(START + 90 * MINUTE)
    spells.record()
    assert Spell.objects.latest("id").since == moment(START + 90 * MINUTE)
    assert Instrument.objects.exists()
