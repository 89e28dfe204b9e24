"""Every guard of the catalogue: it fires, it does not, it clears as documented."""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone

from bots.models import Bot
from bots.safety import watching
from bots.safety.stoploss import StopLosses
from market.exchange import KeyTerms
from market.models import Candle as CandleRow
from market.types import Candle, Tick
from market.volatility import MINUTE_MS
from risk import catalogue, guards, policy
from risk.guards import Level, Reading
from risk.models import Guard
from tests.factories import NOON, BotFactory, PriceFactory
from tests.test_floors import ROOT

D = Decimal
CLEAR, WARNING, TRIPPED = Level.CLEAR, Level.WARNING, Level.TRIPPED
ALERTS = (D("0.05"), D("0.10"), D("0.20"))

Look = Callable[[], Reading]


@dataclass(frozen=True)
class Rows:
    """Looks of one guard. `clears` follows on `fires`, and so does `holds`, just short of it."""

    fires: Look
    calm: Look
    clears: Look
    holds: Look | None = None
    fired: Level = TRIPPED  # as loud as it gets
    database: bool = False


def bars(*closes: str) -> list[Candle]:
    """Minutes of a market, each a straight line from the close before."""
    found, before = [], D(closes[0])
    for i, text in enumerate(closes):
        close = D(text)
        high, low = max(before, close), min(before, close)
        found.append(Candle("XUSDT", "1", i * MINUTE_MS, before, high, low, close, D(1), D(1)))
        before = close
    return found


def breaker(now_min: int, *closes: str) -> Reading:
    return guards.breaker(
        "XUSDT", bars(*closes), None, now_min * MINUTE_MS, most=D("0.03"), ratio=D(4), minutes=15
    )


def pairs(*wild: bool) -> Reading:
    found = [breaker(2, "100", "90" if each else "100") for each in wild]
    return guards.breakers(found, 2)


def calls(failures: int, of: int = 1000, before: Level = CLEAR) -> Reading:
    return guards.api_errors(of, failures, most=D("0.02"), least_calls=50, before=before)


def equity(worth: int, before: Level = CLEAR) -> Reading:
    return guards.equity(
        D(worth), D(34_000), alerts=ALERTS, kill=D("0.30"), before=before, tier=None
    )


def fallen(worth: str, tier: str | None = None) -> Reading:
    before = D(tier) if tier else None
    return guards.drawdown(D(worth), D(100), alerts=ALERTS, tier=before)


def silent(name: str, subject: str) -> Rows:
    def after(seconds: int, before: Level = CLEAR) -> Reading:
        return guards.silence(name, subject, D(seconds), limit=D(30), before=before)

    return Rows(
        fires=lambda: after(31),
        calm=lambda: after(30),
        holds=lambda: after(11, TRIPPED),
        clears=lambda: after(10, TRIPPED),
    )


def off(milliseconds_: int, before: Level = CLEAR) -> Reading:
    return guards.clock(D(milliseconds_), warn=D(500), stop=D(1000), before=before)


def key(**terms: object) -> Reading:
    return guards.api_key(KeyTerms(**terms), NOON)  # type: ignore[arg-type]


def differing(name: str) -> Rows:
    return Rows(
        fires=lambda: guards.differences(name, ["one"], "orders"),
        calm=lambda: guards.differences(name, [], "orders"),
        clears=lambda: guards.differences(name, [], "orders"),
    )


# Guards that are judged where the bots are --------------------------------------------------------


def kept(name: str) -> Reading:
    row = Guard.objects.get(name=name)
    return Reading(
        row.name, row.subject, row.value, row.limit, row.unit, Level(row.state), row.did,
        no_buys=row.no_buys,
    )  # fmt: skip


def stopped(name: str, *prices: str) -> Reading:
    """What a stop says after these prices, each of a message of its own."""
    terms = {
        "stop-loss": {"config__stop_loss": D(94_800)},
        "trailing stop": {"config__stop_loss": None, "config__trailing_stop": D("0.03")},
    }[name]
    bot = BotFactory(state_since=timezone.now(), **terms)
    stops = StopLosses()
    for time, text in enumerate(prices):
        price = D(text)
        tick = Tick("BTCUSDT", price, price, price, time + 1)
        if stops.believes(tick):
            stops.see(tick)
    if not Guard.objects.filter(name=name).exists():
        return Reading(name, bot.subject, None, None, "quote", CLEAR)
    return kept(name)


def stopped_and_runs_again(name: str) -> Reading:
    stopped(name, "97000", "94000")
    Bot.objects.update(state=Bot.State.RUNNING)
    watching._judge_exits()
    return kept(name)


def stop(name: str) -> Rows:
    return Rows(
        fires=lambda: stopped(name, "97000", "94000"),
        calm=lambda: stopped(name, "97000", "95000"),
        clears=lambda: stopped_and_runs_again(name),
        database=True,
    )


def leaving(seconds: int, *, has_left: bool = False) -> Reading:
    """A bot that sells what it holds for so long already."""
    since = timezone.now() - timedelta(seconds=seconds)
    BotFactory(state=Bot.State.STOPPING, exit=Bot.Exit.SELL, state_since=since)
    watching._judge_exits()
    if has_left:
        Bot.objects.update(state=Bot.State.STOPPED)
        watching._judge_exits()
    return kept("exit")


def gate(*moves: tuple[int, str]) -> Reading:
    """The gate after minutes at prices."""
    prices = [text for count, text in moves for _ in range(count)]
    begin = NOON - timedelta(minutes=len(prices))
    CandleRow.objects.bulk_create(
        CandleRow(
            symbol="BTCUSDT", interval="1", time=begin + timedelta(minutes=i), open=D(text),
            high=D(text), low=D(text), close=D(text), volume=1, turnover=1, closed=True,
        )
        for i, text in enumerate(prices)
    )  # fmt: skip
    price = PriceFactory(symbol="BTCUSDT", last=D(prices[-1]), time=NOON)
    return watching._gate("BTCUSDT", price, [], policy.current())


CALM = (90, "97000")

GUARDS: dict[str, Rows] = {
    "stop-loss": stop("stop-loss"),
    "trailing stop": stop("trailing stop"),
    "exit": Rows(
        fires=lambda: leaving(31),
        calm=lambda: leaving(29),
        clears=lambda: leaving(31, has_left=True),
        database=True,
    ),
    "volatility": Rows(
        fires=lambda: breaker(3, "100", "100", "96.9"),
        calm=lambda: breaker(3, "100", "100", "97"),
        holds=lambda: breaker(17, "100", "100", *["96.9"] * 15),
        clears=lambda: breaker(18, "100", "100", *["96.9"] * 16),
    ),
    "breakers": Rows(
        fires=lambda: pairs(True, True),
        calm=lambda: pairs(True, False),
        clears=lambda: pairs(False, True),
    ),
    "API errors": Rows(
        fires=lambda: calls(3, of=100),
        calm=lambda: calls(20, of=20),  # too few to judge
        holds=lambda: calls(15, before=TRIPPED),
        clears=lambda: calls(10, before=TRIPPED),
    ),
    "equity": Rows(
        fires=lambda: equity(23_799),
        calm=lambda: equity(32_301),
        holds=lambda: equity(24_309, TRIPPED),
        clears=lambda: equity(34_000, TRIPPED),
    ),
    "drawdown": Rows(
        fires=lambda: fallen("95"),
        calm=lambda: fallen("95.1"),
        holds=lambda: fallen("95.2", "0.05"),
        clears=lambda: fallen("95.3", "0.05"),
        fired=WARNING,
    ),
    "BTC gate": Rows(
        fires=lambda: gate(CALM, (2, "95060")),
        calm=lambda: gate(CALM, (2, "95100")),
        holds=lambda: gate(CALM, (70, "95060")),
        clears=lambda: gate(CALM, (80, "95060")),
        database=True,
    ),
    "ticks": silent("ticks", "bot:1"),
    "feed": silent("feed", "pair:XUSDT"),
    "identity": Rows(
        fires=lambda: guards.residual("bot:1", "0.5 USDT"),
        calm=lambda: guards.residual("bot:1", ""),
        clears=lambda: guards.residual("bot:1", ""),
    ),
    "accounting": differing("accounting"),
    "reconcile": differing("reconcile"),
    "foreign orders": Rows(
        fires=lambda: guards.foreign(["Buy 1 XUSDT at 9"]),
        calm=lambda: guards.foreign([]),
        clears=lambda: guards.foreign([]),
        fired=WARNING,
    ),
    "kill": Rows(
        fires=lambda: guards.unfinished("3 are open", 3, incomplete=True),
        calm=lambda: guards.unfinished("", 3, incomplete=False),
        clears=lambda: guards.unfinished("", 0, incomplete=False),
    ),
    "clock": Rows(
        fires=lambda: off(-1001),
        calm=lambda: off(500),
        holds=lambda: off(501, TRIPPED),
        clears=lambda: off(499, TRIPPED),
    ),
    "API key": Rows(
        fires=lambda: key(may_withdraw=True),
        calm=lambda: key(expires=NOON + timedelta(days=14)),
        clears=key,
    ),
    "fees": Rows(
        fires=lambda: guards.fees("bot:1", D(0), D("0.003")),
        calm=lambda: guards.fees("bot:1", D("0.0001"), D("0.001")),
        clears=lambda: guards.fees("bot:1", D("0.0001"), D("0.001")),
    ),
    "access": Rows(
        fires=lambda: guards.access("the key is refused"),
        calm=lambda: guards.access(""),
        clears=lambda: guards.access(""),
    ),
    "listing": Rows(
        fires=lambda: guards.listing("XUSDT", "it does not trade"),
        calm=lambda: guards.listing("XUSDT", ""),
        clears=lambda: guards.listing("XUSDT", ""),
    ),
}


def test_no_guard_is_without_its_rows() -> None:
    assert set(GUARDS) == {kind.name for kind in catalogue.KINDS}


def _readings(path: Path) -> set[str]:
    """The names that a module gives to readings, where it writes them out."""
    calls_ = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
    named: set[str] = set()
    for call in calls_:
        function = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        function = call.func.id if isinstance(call.func, ast.Name) else function
        first = call.args[0] if call.args else None
        naming = {"Reading", "silence", "overdue", "differences", "_note_silence"}
        if function in naming and isinstance(first, ast.Constant):
            named.add(str(first.value))
    return named


def test_no_reading_is_of_a_guard_that_the_catalogue_does_not_know() -> None:
    sources: Sequence[Path] = [ROOT / "risk" / "guards.py", *(ROOT / "bots").rglob("*.py")]
    found = set().union(*(_readings(path) for path in sources))
    assert len(found) > 12
    assert found <= set(GUARDS)


def test_the_gate_of_another_coin_is_told_as_btcs_is() -> None:
    kinds = catalogue.told(policy.Policy())
    found = catalogue.kind_of("ETH gate", kinds)
    assert found is not None
    assert found.trips.startswith("ETH moved 2 % or more in 60 min")
    assert "bots with ETH as their reference" in found.does
    assert catalogue.kind_of("BTC gate", kinds) is kinds["BTC gate"]
    assert catalogue.kind_of("weather", kinds) is None


def each(*names: str) -> pytest.MarkDecorator:
    """A test for each of these guards, with a database where they need one."""
    found = [
        pytest.param(GUARDS[name], id=name, marks=[pytest.mark.django_db] * GUARDS[name].database)
        for name in names
    ]
    return pytest.mark.parametrize("rows", found)


every = each(*GUARDS)
_DOES = {kind.name: kind.does for kind in catalogue.KINDS}


@every
def test_it_fires_and_does_what_the_catalogue_says(rows: Rows) -> None:
    found = rows.fires()
    assert found.level is rows.fired
    assert found.did, "it says what it did"
    does = _DOES[found.name]
    assert found.no_buys == does.startswith("withholds")
    assert found.kills == (does == catalogue.KILLS)


@every
def test_it_does_not_fire(rows: Rows) -> None:
    found = rows.calm()
    assert found.level is CLEAR
    assert not found.did


@every
def test_it_clears_as_documented(rows: Rows) -> None:
    assert rows.clears().level is CLEAR


@each(*(name for name, found in GUARDS.items() if found.holds))
def test_it_holds_until_then(rows: Rows) -> None:
    assert rows.holds is not None
    assert rows.holds().level is rows.fired
