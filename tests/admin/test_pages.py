"""Every page of the admin opens, shows plain numbers, and changes nothing it should not."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.staticfiles import finders
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from bots.models import (
    ApiToken,
    Booking,
    BookLine,
    Bot,
    CapitalMove,
    Fill,
    GridConfig,
    Order,
    Shift,
)
from bots.roles import Role
from bots.safety import guarding
from integrations.bybit.gateway import Gateway
from market.readonly import EstimatedPaginator
from risk import policy
from risk.guards import Level, Reading
from risk.models import AuditRow, Halt, Policy
from tests.factories import (
    BotFactory,
    CellFactory,
    FillFactory,
    GridConfigFactory,
    InstrumentFactory,
    PriceFactory,
    RoundTripFactory,
    UserFactory,
    new_token,
)
from tests.simulator.fixture import RunningSimulator

OURS = [
    model for model in admin.site._registry if model._meta.app_label in {"market", "risk", "bots"}
]
pages = pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)


def one_of_each() -> Bot:
    """One row at least of every model."""
    bot = BotFactory(slug="btc-usdt", name="BTC/USDT")
    InstrumentFactory()
    PriceFactory()
    CellFactory(config=bot.config)
    FillFactory(order__bot=bot)
    RoundTripFactory(bot=bot)
    step = {"was_low": 95_500, "was_high": 96_000, "was_quantity": "0.02", "low": 99_000}
    Shift.objects.create(
        config=bot.config, cell=0, trip=1, **step, high=99_500, quantity="0.019", price=99_500,
        time=1_700_000_000_000,
    )  # fmt: skip
    CapitalMove.objects.create(coin="USDT", amount=34_000, reason="opening", opening=True)
    Halt.objects.create(subject="all", reason="a test", opened_by="nobody")
    policy.current()
    guarding.note(Reading("clock", "all", Decimal(2000), Decimal(1000), "ms", Level.TRIPPED))
    return bot


@pytest.fixture
def rows(db: None) -> Bot:
    return one_of_each()


@pytest.fixture
def operator(rows: Bot) -> Client:
    user = UserFactory(username="boss", is_staff=True, is_superuser=True)
    new_token(user)
    client = Client()
    client.force_login(user)
    return client


def staff(role: Role) -> Client:
    client = Client()
    client.force_login(UserFactory(is_staff=True, role=role))
    return client


def address(model: type[Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def test_all_models_are_here() -> None:
    names = {model.__name__ for model in OURS}
    assert names == {
        "Instrument", "Price", "Halt", "Bot", "GridConfig", "Cell", "Order", "Fill", "RoundTrip",
        "CapitalMove", "Booking", "BookLine", "Shift", "ApiToken", "Guard", "GuardEvent",
        "AuditRow", "Policy",
    }  # fmt: skip


@pages
def test_lists_and_rows_open(operator: Client, model: type[Model]) -> None:
    row = model._default_manager.first()
    assert row is not None
    listed = operator.get(address(model, "changelist"))
    assert listed.status_code == 200
    assert "1 " in listed.content.decode()
    assert operator.get(address(model, "changelist"), {"q": "btc"}).status_code == 200
    shown = operator.get(address(model, "change", row.pk))
    assert shown.status_code == 200
    for page in (listed, shown):
        assert "0000000000" not in page.content.decode(), "a decimal is padded with zeros"


@pages
def test_nothing_changes_by_these_pages(operator: Client, model: type[Model]) -> None:
    row = model._default_manager.first()
    assert row is not None
    before = model._default_manager.count()
    if model is not Policy:  # its limits are for tests/risk/test_admin.py
        assert operator.post(address(model, "change", row.pk), {"reason": "x"}).status_code == 403
    if model not in {GridConfig, ApiToken}:
        assert operator.get(address(model, "add")).status_code == 403
    if model is not ApiToken:
        assert operator.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        everything = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
        operator.post(address(model, "changelist"), everything)
    assert model._default_manager.count() == before


@pages
def test_a_viewer_reads_all_but_keys(rows: Bot, model: type[Model]) -> None:
    status = staff(Role.VIEWER).get(address(model, "changelist")).status_code
    assert status == (403 if model is ApiToken else 200)


@pages
def test_a_killer_sees_nothing(rows: Bot, model: type[Model]) -> None:
    assert staff(Role.KILLER).get(address(model, "changelist")).status_code == 403


def test_a_stranger_is_sent_to_the_login(rows: Bot) -> None:
    assert Client().get(address(Order, "changelist")).status_code == 302


def test_an_admin_ends_a_token(rows: Bot) -> None:
    new_token(UserFactory())
    key = ApiToken.objects.get()
    answer = staff(Role.ADMIN).post(address(ApiToken, "delete", key.pk), {"post": "yes"})
    assert answer.status_code == 302
    assert not ApiToken.objects.exists()


def test_the_header_says_the_mode(operator: Client) -> None:
    page = operator.get("/admin/").content.decode()
    assert f"GridTrader – {settings.MODE}" in page
    assert "admin/gridtrader.css" in page
    assert finders.find("admin/gridtrader.css")


@pytest.mark.parametrize(
    ("shape", "step"),
    [
        ({}, "0.30 – 0.31 %"),  # 3500 / 12 = 291.67 of 98,708 and of 95,500
        ({"spacing": "geometric", "lower": 100, "upper": 121, "grids": 2}, "10.00 %"),
    ],
)
def test_a_grid_is_listed_with_its_step(operator: Client, shape: dict[str, Any], step: str) -> None:
    shape = {f"config__{name}": value for name, value in shape.items()}
    BotFactory(slug="shown", **shape)
    page = operator.get(address(GridConfig, "changelist"), {"q": "shown"}).content.decode()
    assert step in page


def test_a_bookings_page_shows_its_lines(operator: Client) -> None:
    """A buy: the grid gives quote for base, and the fee leaves in base."""
    booking = Fill.objects.get().bookings.get()
    page = operator.get(address(Booking, "change", booking.pk)).content.decode()
    for line in booking.lines.all():
        assert str(line) in page
    assert booking.lines.count() == 6


# --- large tables --------------------------------------------------------------------------------


@pytest.fixture
def many(rows: Bot) -> Order:
    """20,000 fills of one order, of an hour ago, that the ledger knows nothing of."""
    order = Order.objects.get()
    then = timezone.now() - timedelta(hours=1)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(
            "INSERT INTO bots_fill (exec_id, order_id, bot_id, symbol, side, price, quantity, fee,"
            " fee_coin, is_maker, time, received_at, booked) SELECT 'many-' || i, %s, %s,"
            " 'BTCUSDT', 'Buy', 1, 1, 0, 'BTC', true, %s, %s, true"
            " FROM generate_series(1, 20000) i",
            [order.pk, order.bot_id, then, then],
        )
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")
        cursor.execute("ANALYZE bots_fill")
    return order


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"side__exact": "Buy"},
        {"bot__id__exact": "BOT"},
        {"time__gte": f"{timezone.now() - timedelta(days=1):%Y-%m-%d %H:%M:%S}+00:00"},
        {"p": "1"},
    ],
    ids=["all", "side", "bot", "since", "page"],  # the same in every process
)
def test_the_list_of_a_large_table_counts_nothing(
    operator: Client, many: Order, asked: dict[str, str]
) -> None:
    asked = {name: text.replace("BOT", str(many.bot_id)) for name, text in asked.items()}
    with CaptureQueriesContext(connection) as queries:
        page = operator.get(address(Fill, "changelist"), asked)
    assert page.status_code == 200
    assert re.search(r"(1\d|2\d)\d{3} fills", page.content.decode()), "about 20,000"
    read = [one["sql"] for one in queries if '"bots_fill"' in one["sql"]]
    assert not [sql for sql in read if "COUNT(" in sql and "EXPLAIN" not in sql]
    assert not [sql for sql in read if "DISTINCT" in sql], "a filter looks for its choices in all"
    assert len(queries) < 12
    rows = next(sql for sql in read if "LIMIT 100" in sql)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {rows}")
        plan = " ".join(line for (line,) in cursor.fetchall())
    assert "Seq Scan on bots_fill" not in plan, plan
    assert "Sort" not in plan, plan


def test_facts_are_found_by_whole_ids_by_an_index(operator: Client, many: Order) -> None:
    found = operator.get(address(Fill, "changelist"), {"q": "many-7"}).content.decode()
    assert "1 fill" in found
    assert "many-77<" not in found
    assert "0 fills" in operator.get(address(Fill, "changelist"), {"q": "many"}).content.decode()
    few = EstimatedPaginator(Fill.objects.filter(exec_id="many-7"), 10)
    assert few.count == 1


def test_the_ledger_is_filtered_by_coins_that_are_not_looked_for_in_its_lines(
    operator: Client, rows: Bot
) -> None:
    CapitalMove.objects.create(coin="MNT", amount=5, reason="came in")
    with CaptureQueriesContext(connection) as queries:
        page = operator.get(address(BookLine, "changelist"), {"coin": "MNT"}).content.decode()
    assert "DISTINCT" not in " ".join(one["sql"] for one in queries if "bookline" in one["sql"])
    assert "2 book lines" in page
    assert "?coin=USDT" in page


# --- pause and resume ----------------------------------------------------------------------------


def ask(client: Client, action: str, *rows: Model, **more: str) -> str:
    """Choose an action of rows; `confirmed` carries it out."""
    form = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    answer = client.post(address(type(rows[0]), "changelist"), form, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_an_action_asks_first(operator: Client, rows: Bot) -> None:
    for action, words in (("pause", "buy nothing more"), ("stop", "does not start again")):
        page = ask(operator, action, rows)
        assert words in page
        assert "BTC/USDT" in page
    rows.refresh_from_db()
    assert rows.state == Bot.State.RUNNING
    ask(operator, "stop", rows, confirmed="yes")  # without what happens to the coins
    rows.refresh_from_db()
    assert rows.state == Bot.State.RUNNING


def test_pause_and_resume_tell_bot_by_bot(operator: Client, rows: Bot) -> None:
    stopped = BotFactory(name="OLD/USDT", state=Bot.State.STOPPED)
    page = ask(operator, "pause", rows, stopped, confirmed="yes", reason="a look")
    assert "BTC/USDT is paused." in page
    assert "OLD/USDT is stopped; only a running bot pauses." in page
    rows.refresh_from_db()
    assert (rows.state, rows.reason) == (Bot.State.PAUSED, "paused by boss: a look")
    assert AuditRow.objects.get(what="pause").reason == "a look"
    config = rows.config
    assert config is not None
    assert "BTC/USDT is resumed." in ask(operator, "resume", config, confirmed="yes")
    rows.refresh_from_db()
    assert rows.state == Bot.State.RUNNING
    assert "paused" in operator.get(address(Bot, "history", rows.pk)).content.decode()


def test_stop_keeps_the_coins_unless_told_otherwise(operator: Client, rows: Bot) -> None:
    assert 'value="keep" checked' in ask(operator, "stop", rows)
    assert "BTC/USDT is stopping." in ask(operator, "stop", rows, confirmed="yes", exit="keep")
    rows.refresh_from_db()
    assert (rows.state, rows.exit) == (Bot.State.STOPPING, Bot.Exit.KEEP)


def test_an_older_version_stands_for_no_bot(operator: Client, rows: Bot) -> None:
    older = GridConfigFactory(bot=rows, version=7)
    assert "No bot runs these versions." in ask(operator, "pause", older, confirmed="yes")
    rows.refresh_from_db()
    assert rows.state == Bot.State.RUNNING


def test_a_viewer_pauses_nothing(rows: Bot) -> None:
    viewer = staff(Role.VIEWER)
    assert "Pause: no new buys" not in viewer.get(address(Bot, "changelist")).content.decode()
    ask(viewer, "pause", rows, confirmed="yes")
    rows.refresh_from_db()
    assert rows.state == Bot.State.RUNNING


def test_a_version_shows_its_truth_card(operator: Client, rows: Bot, exchange: Gateway) -> None:
    page = operator.get(address(GridConfig, "change", rows.config_id)).content.decode()
    assert "Net profit of a round trip" in page
    assert "Result at the stop-loss" in page
    assert reverse("bot", args=[rows.slug]) in page


# --- deploy --------------------------------------------------------------------------------------

WISH = {
    "name": "BTC/USDT low",
    "slug": "btc-low",
    "symbol": "BTCUSDT",
    "lower": "80000",
    "upper": "90000",
    "grids": "10",
    "capital": "1000",
    "spacing": "arithmetic",
    "sizing": "base",
    "reserve": "0.05",
    "stop_loss": "79000",
}


def test_the_form_tells_the_truth_and_deploys_a_bot(
    rows: Bot, exchange: Gateway, simulator: RunningSimulator
) -> None:
    simulator.step({"BTCUSDT": "89000"})
    trader = staff(Role.TRADER)
    assert "Truth card" in trader.get(address(GridConfig, "add")).content.decode()
    asked = trader.post(address(GridConfig, "add"), WISH | {"_truth": "Work it out"})
    assert asked.status_code == 200
    assert "Net profit of a round trip" in asked.content.decode()
    assert "the bundled tape BTCUSDT" in asked.content.decode()
    assert not Bot.objects.filter(slug="btc-low").exists(), "a question deploys nothing"
    dear = trader.post(address(GridConfig, "add"), WISH | {"capital": "40000"})
    assert "are free" in dear.context["adminform"].form.errors["capital"][0]
    answer = trader.post(address(GridConfig, "add"), WISH)
    assert answer.status_code == 302, answer.content.decode()
    bot = Bot.objects.get(slug="btc-low")
    assert bot.state == Bot.State.DEPLOYING
    config = bot.config
    assert config is not None
    assert (config.version, config.grids, config.capital) == (1, 10, 1000)
    assert config.created_by.startswith("person")
    assert bot.configs.count() == 1
    assert bot.position > rows.position


def test_a_viewer_deploys_nothing(rows: Bot) -> None:
    assert staff(Role.VIEWER).post(address(GridConfig, "add"), WISH).status_code == 403


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"upper": "70000"}, "upper", "above the lower"),
        ({"lower": "0"}, "lower", "above zero"),
        ({"stop_loss": "80000"}, "stop_loss", "between 0 and"),
        ({"stop_loss": "-1"}, "stop_loss", "between 0 and"),
        ({"grids": "101"}, "grids", "less than or equal to 100"),
        ({"grids": "1"}, "grids", "greater than or equal to 2"),
        ({"lower": "89999.99"}, "grids", "too fine for BTCUSDT"),
        ({"capital": "0"}, "capital", "above zero"),
        ({"capital": "NaN"}, "capital", "Enter a number"),
        ({"reserve": "1"}, "reserve", "below 1"),
        ({"slug": "btc-usdt"}, "slug", "exists already"),
        ({"symbol": "btc/usdt"}, "symbol", "capital letters and digits"),
        ({"spacing": "other"}, "spacing", "Select a valid choice"),
    ],
)
def test_a_wrong_wish_is_told_at_its_field(
    operator: Client, change: dict[str, str], field: str, words: str
) -> None:
    answer = operator.post(address(GridConfig, "add"), WISH | change)
    assert answer.status_code == 200
    errors = answer.context["adminform"].form.errors
    assert list(errors) == [field]
    assert words in errors[field][0]
    assert Bot.objects.count() == 1


def test_the_base_class_keeps_every_page_read_only() -> None:
    opened = {
        model.__name__
        for model in OURS
        if type(admin.site._registry[model]).has_change_permission
        is ModelAdmin.has_change_permission
    }
    assert opened == {"Policy"}
