"""Re-centring: previewed with the loss it makes real, then carried out as an edit."""

from collections.abc import Callable
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from bots import control, edits
from bots.grid.levels import GridSpec, Spacing
from bots.models import Bot
from bots.roles import Role
from integrations.bybit.gateway import Gateway
from market.types import ONE
from tests.bots.test_handover import is_exact, move
from tests.factories import UserFactory
from tests.simulator.fixture import RunningSimulator

D = Decimal
FEE = D("0.001")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def bot(simulator: RunningSimulator) -> Bot:
    simulator.step({"BTCUSDT": "97000"})
    spec = GridSpec(D(95500), D(98500), 6, D(25000))
    wish = control.Deployment(slug="btc-usdt", name="BTC/USDT", symbol="BTCUSDT", spec=spec)
    return control.deploy(wish, by="tests")


@pytest.fixture
def fallen(bot: Bot, tick: Callable[[], None], simulator: RunningSimulator) -> Bot:
    """All six cells bought on the way down to 93,000."""
    tick()
    move(simulator, 93000)
    tick()
    return bot


def test_it_shows_the_loss_it_makes_real_and_carries_it_out(
    fallen: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    """94,500 is the new top: what was bought at 95,500 to 97,000 is offered at 93,000 to 94,500."""
    changes = edits.centred(exchange, fallen)
    assert changes == {"lower": 91500, "upper": 94500}
    _, told = edits.look_at(exchange, fallen, changes)
    cells = fallen.config.cells.all()
    now = sum((c.held * c.high * (ONE - FEE) - c.cost for c in cells), D(0))
    dust = 6 * D("0.000001") * 98500  # less than a lot in each cell is not sold
    assert abs(D(told["edit"]["sales"]["before"]) - now) < dust
    assert D(told["edit"]["sales"]["after"]) < -300
    assert D(told["edit"]["sales"]["loss"]) == D(told["edit"]["sales"]["after"])
    before = sum((c.cost for c in cells), D(0))
    out = StringIO()
    call_command("recentre", "btc-usdt", stdout=out)
    assert (
        f"loss made real by the sales below cost: {told['edit']['sales']['loss']}" in out.getvalue()
    )
    assert "Nothing was changed" in out.getvalue()
    fallen.refresh_from_db()
    assert fallen.next_config is None
    call_command("recentre", "btc-usdt", "--yes", stdout=out)
    tick()
    assert (fallen.config.version, fallen.config.lower, fallen.config.upper) == (2, 91500, 94500)
    assert sum((c.cost for c in fallen.config.cells.all()), D(0)) == before, "nothing is realised"
    assert max(order.price for order in exchange.open_orders()) == 94500
    is_exact(fallen, exchange)


def test_a_stop_loss_in_the_way_is_named(
    fallen: Bot, tick: Callable[[], None], exchange: Gateway
) -> None:
    control.edit(fallen, {"stop_loss": D(92000)}, by="ann")
    tick()
    with pytest.raises(CommandError, match="stop_loss: the stop-loss must lie between 0 and 91500"):
        call_command("recentre", "btc-usdt", "--yes")
    call_command("recentre", "btc-usdt", "--stop-loss", "91000", "--yes", stdout=StringIO())
    tick()
    assert (fallen.config.lower, fallen.config.stop_loss) == (91500, 91000)


def test_a_geometric_range_keeps_its_ratio(
    bot: Bot, tick: Callable[[], None], exchange: Gateway, simulator: RunningSimulator
) -> None:
    tick()
    control.edit(bot, {"spacing": Spacing.GEOMETRIC}, by="ann")
    tick()
    move(simulator, 90000)
    tick()
    changes = edits.centred(exchange, bot)
    assert abs(changes["upper"] / changes["lower"] - D(98500) / 95500) < D("1e-6")
    assert abs(changes["upper"] * changes["lower"] / D(90000) ** 2 - 1) < D("1e-6")


def test_the_api_and_the_page_do_it_too(
    fallen: Bot, tick: Callable[[], None], client: Client
) -> None:
    client.force_login(UserFactory(role=Role.TRADER))
    body = {"bot": "btc-usdt", "recentre": True, "dry_run": True}
    answer = client.post(
        "/api/deploy", body, content_type="application/json", headers={"Idempotency-Key": "one"}
    )
    assert answer.status_code == 200, answer.json()
    assert (answer.json()["levels"][0], answer.json()["levels"][-1]) == ("91500", "94500")
    wrong = client.post(
        "/api/deploy", {**body, "lower": "90000"}, content_type="application/json",
        headers={"Idempotency-Key": "two"},
    )  # fmt: skip
    assert "leave them out" in wrong.json()["error"]["fields"]["recentre"][0]
    page = client.get("/bots/btc-usdt/recentre/").content.decode()
    assert answer.json()["edit"]["sales"]["loss"] in page
    assert client.post("/bots/btc-usdt/recentre/", {"word": "no"}).status_code == 400
    assert client.post("/bots/btc-usdt/recentre/", {"word": "BTC"}).status_code == 302
    tick()
    assert (fallen.config.version, fallen.config.lower) == (2, 91500)
