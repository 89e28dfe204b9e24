"""The Notion journal with the real client against a strict double: rows, faults, deaths, import."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from bots.models import Bot
from bots.outside import journals, tasks
from gridtrader.env import Secret
from integrations import outbox
from integrations.models import Lane, LegacyTrade, Mark, Parcel
from integrations.notion import connection, notebook
from integrations.notion.properties import COLUMNS, ID, TRADES
from market.models import Price
from risk.models import EquityPoint, Halt
from tests.factories import NOON, BotFactory, FillFactory, RoundTripFactory
from tests.integrations.fake_notion import FakeNotion

TOKEN = "canary-notion-token-0123456789"


@pytest.fixture
def notion() -> Iterator[FakeNotion]:
    with FakeNotion(TOKEN) as fake:
        yield fake


@pytest.fixture(autouse=True)
def journal(
    db: None, notion: FakeNotion, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notion is set up with two new databases, and the journal has begun."""
    settings.NOTION_TOKEN = Secret(TOKEN)
    settings.NOTION_BASE_URL = notion.url
    settings.NOTION_TRADES_DATABASE = notion.database()
    settings.NOTION_PORTFOLIO_DATABASE = notion.database()
    monkeypatch.setattr(connection, "PACE_S", 0.0)
    monkeypatch.setattr(connection, "TIMEOUT_MS", 2_000)
    journals.collect()


def later(**by: float) -> None:
    """Let time pass for everything that waits."""
    passed = timedelta(**(by or {"hours": 2}))
    for parcel in Parcel.objects.filter(processed_at=None):
        parcel.due_at -= passed
        parcel.save()
    for lane in Lane.objects.exclude(not_before=None):
        lane.not_before -= passed
        lane.save()
    for lane in Lane.objects.exclude(lease_until=None):
        lane.lease_until -= passed
        lane.save()


def trades(notion: FakeNotion, settings: Settings) -> list[dict[str, Any]]:
    return notion.rows(settings.NOTION_TRADES_DATABASE)


def test_a_round_trip_becomes_a_row_with_columns_made_for_it(
    bot: Bot, notion: FakeNotion, settings: Settings
) -> None:
    trip = RoundTripFactory(
        bot=bot, cell=3, trip=7, grid_profit=Decimal("1.05"), cost=Decimal("1910.123456")
    )
    tasks.write_journals()
    (row,) = trades(notion, settings)
    assert row[ID] == f"trip:{trip.pk}"
    assert row["Name"] == "BTC/USDT cell 3, trip 7"
    assert (row["Kind"], row["Bot"], row["Symbol"]) == ("Round trip", "BTC/USDT", "BTCUSDT")
    assert (row["Cell"], row["Grid profit"], row["Cost"]) == (3, 1.05, 1910.123456)
    assert row["Closed"] == "2026-01-12T12:00:00.000Z"
    (source,) = notion.databases[settings.NOTION_TRADES_DATABASE]
    assert notion.sources[source] == {"Name": "title", **COLUMNS[TRADES]}
    parcel = Parcel.objects.get()
    assert parcel.receipt in notion.pages
    assert parcel.begun_at is None
    tasks.write_journals()
    assert len(trades(notion, settings)) == 1


def test_halts_and_stops_become_rows(bot: Bot, notion: FakeNotion, settings: Settings) -> None:
    Halt.objects.create(subject="all", reason="equity below 70 %, for all", opened_by="risk")
    Halt.objects.create(subject=bot.subject, reason="breaker", opened_by="risk")
    Bot.objects.update(
        state=Bot.State.STOPPED, reason="stop-loss", state_since=timezone.now() + timedelta(1)
    )
    for _ in range(2):
        tasks.write_journals()
    rows = {row["Kind"] + " " + row["Bot"]: row for row in trades(notion, settings)}
    assert set(rows) == {"Halt all bots", "Halt BTC/USDT", "Stop BTC/USDT"}
    assert rows["Halt all bots"]["Reason"] == "equity below 70 %, for all (by risk)"
    assert rows["Stop BTC/USDT"]["Reason"] == "stop-loss"


def test_each_day_of_the_exchange_has_a_row_a_bot_and_one_in_total(
    bot: Bot, notion: FakeNotion, settings: Settings
) -> None:
    BotFactory(slug="eth-usdt", name="ETH/USDT")
    journals.collect()
    tasks.write_journals()
    assert notion.rows(settings.NOTION_PORTFOLIO_DATABASE) == []
    Price.objects.update(time=datetime(2026, 1, 13, 0, 1, tzinfo=UTC))
    for _ in range(2):
        tasks.write_journals()
    rows = notion.rows(settings.NOTION_PORTFOLIO_DATABASE)
    assert [row["Bot"] for row in rows] == ["BTC/USDT", "ETH/USDT", "Total"]
    assert {row["Date"] for row in rows} == {"2026-01-12"}
    assert (rows[0]["Price"], rows[0]["Capital"], rows[0]["State"]) == (97000, 25000, "Running")
    assert (rows[2]["Capital"], rows[2]["Price"]) == (50000, None)
    assert rows[2][ID] == "day:2026-01-12:total"


def test_days_on_which_the_system_was_away_are_told_by_what_is_recorded(
    bot: Bot, notion: FakeNotion, settings: Settings
) -> None:
    """It was away from the evening of the 12th until the 15th; a trip closed on the 13th."""
    Bot.objects.update(deployed_at=NOON)
    journals.collect()
    evening = datetime(2026, 1, 12, 23, 59, tzinfo=UTC)
    for subject, equity in (("all", "34010.5"), (bot.subject, "25010.5")):
        EquityPoint.objects.create(subject=subject, time=evening, equity=Decimal(equity))
    FillFactory(order__bot=bot, time=NOON)
    RoundTripFactory(bot=bot, closed=NOON, grid_profit=Decimal(2))
    RoundTripFactory(bot=bot, closed=NOON + timedelta(days=1), grid_profit=Decimal(3))
    Price.objects.update(time=datetime(2026, 1, 15, 8, tzinfo=UTC))
    for _ in range(2):
        tasks.write_journals()
    rows = {row[ID]: row for row in notion.rows(settings.NOTION_PORTFOLIO_DATABASE)}
    assert sorted(rows) == [
        f"day:2026-01-{day}:{name}" for day in (12, 13, 14) for name in ("btc-usdt", "total")
    ]
    first, second = rows["day:2026-01-12:btc-usdt"], rows["day:2026-01-13:btc-usdt"]
    assert (first["Date"], first["Equity"], first["Grid profit"]) == ("2026-01-12", 25010.5, 2)
    assert (first["Round trips"], first["Fills"], first["Fills 24 h"]) == (1, 1, 1)
    assert (second["Equity"], second["Grid profit"], second["Round trips"]) == (None, 5, 2)
    assert (second["Fills"], second["Fills 24 h"]) == (1, 0)
    assert rows["day:2026-01-12:total"]["Equity"] == 34010.5
    assert rows["day:2026-01-14:btc-usdt"]["State"] == "Running"


def test_columns_of_another_type_are_filled_as_far_as_they_can(
    bot: Bot, notion: FakeNotion, settings: Settings
) -> None:
    settings.NOTION_TRADES_DATABASE = notion.database(
        Bot="rich_text", Cost="rich_text", Cell="checkbox", Reason="select"
    )
    RoundTripFactory(bot=bot, cost=Decimal("0.000005"))
    tasks.write_journals()
    (row,) = trades(notion, settings)
    assert (row["Bot"], row["Cost"], row["Cell"]) == ("BTC/USDT", "0.000005", None)


def test_an_id_column_that_cannot_hold_ids_is_told(
    bot: Bot, notion: FakeNotion, settings: Settings
) -> None:
    settings.NOTION_TRADES_DATABASE = notion.database(**{ID: "number"})
    RoundTripFactory(bot=bot)
    tasks.write_journals()
    assert "accepted: text" in Parcel.objects.get().trouble


@pytest.mark.parametrize(
    "refused",
    [
        (409, "conflict_error", "conflict"),
        (500, "internal_server_error", "failed with 500"),
        (502, "", "failed with 502"),
        (503, "service_unavailable", "failed with 503"),
        (504, "gateway_timeout", "failed with 504"),
        (401, "unauthorized", "NOTION_TOKEN"),
        (403, "restricted_resource", "forbids"),
        (404, "object_not_found", "share the database"),
    ],
)
@pytest.mark.parametrize("call", ["GET /v1/databases", "PATCH /v1/data", "POST /v1/pages"])
def test_a_refusal_is_repeated_later_and_makes_one_row(
    bot: Bot, notion: FakeNotion, settings: Settings, call: str, refused: tuple[int, str, str]
) -> None:
    status, code, words = refused
    RoundTripFactory(bot=bot)
    notion.fail(call, status, code)
    tasks.write_journals()
    assert trades(notion, settings) == []
    assert words in Parcel.objects.get().trouble
    tasks.write_journals()
    assert trades(notion, settings) == [], "not before its time"
    later()
    tasks.write_journals()
    assert len(trades(notion, settings)) == 1
    assert Parcel.objects.get().attempts == 2


def test_a_column_that_was_renamed_is_made_again(
    bot: Bot, notion: FakeNotion, settings: Settings
) -> None:
    first, second = RoundTripFactory.create_batch(2, bot=bot)
    (source,) = notion.databases[settings.NOTION_TRADES_DATABASE]
    link = connection.from_settings()
    assert link is not None
    book = notebook.Notebook(link, notebook.databases())
    journals.collect()
    parcels = list(Parcel.objects.order_by("id"))
    book.send(parcels[:1])
    del notion.sources[source]["Proceeds"]
    book.send(parcels[1:])
    assert {row[ID] for row in trades(notion, settings)} == {
        f"trip:{first.pk}",
        f"trip:{second.pk}",
    }
    link.close()


@pytest.mark.parametrize("status", [429, 529])
def test_a_pause_that_notion_asks_for_is_kept_by_everything(
    bot: Bot, notion: FakeNotion, settings: Settings, status: int
) -> None:
    RoundTripFactory.create_batch(3, bot=bot)
    notion.fail("POST /v1/pages", status, "rate_limited", Retry_After="37")
    tasks.write_journals()
    lane = Lane.objects.get(name="notion")
    assert lane.not_before is not None
    wait = (lane.not_before - timezone.now()).total_seconds()
    assert 30 < wait <= 37
    asked = len(notion.requests)
    tasks.write_journals()
    assert len(notion.requests) == asked, "nothing is sent meanwhile"
    later(seconds=38)
    tasks.write_journals()
    assert len(trades(notion, settings)) == 3


def test_an_answer_that_is_lost_makes_no_second_row(
    bot: Bot, notion: FakeNotion, settings: Settings
) -> None:
    trip = RoundTripFactory(bot=bot)
    notion.fail("POST /v1/pages")
    tasks.write_journals()
    assert len(trades(notion, settings)) == 1
    parcel = Parcel.objects.get()
    assert parcel.processed_at is None
    assert parcel.due_at - timezone.now() > outbox.LEASE, "Notion may still be at work"
    later()
    tasks.write_journals()
    assert [row[ID] for row in trades(notion, settings)] == [f"trip:{trip.pk}"]
    parcel.refresh_from_db()
    assert parcel.receipt in notion.pages


def test_a_row_that_came_to_be_twice_is_reduced_to_one(
    bot: Bot, notion: FakeNotion, settings: Settings
) -> None:
    RoundTripFactory(bot=bot)
    tasks.write_journals()
    (page,) = notion.pages.values()
    notion.pages["00000000-0000-0000-0000-000000000000"] = {
        **page, "id": "00000000-0000-0000-0000-000000000000"
    }  # fmt: skip
    Parcel.objects.update(processed_at=None, begun_at=timezone.now())
    later()
    tasks.write_journals()
    assert len(trades(notion, settings)) == 1
    assert not page["in_trash"]


def test_without_notion_nobody_is_there_and_later_it_goes_on(
    bot: Bot, notion: FakeNotion, settings: Settings
) -> None:
    RoundTripFactory(bot=bot)
    settings.NOTION_BASE_URL = "http://127.0.0.1:1"
    tasks.write_journals()
    assert "not reached" in Parcel.objects.get().trouble
    settings.NOTION_BASE_URL = notion.url
    later()
    tasks.write_journals()
    assert len(trades(notion, settings)) == 1


def test_it_is_off_while_unset(bot: Bot, notion: FakeNotion, settings: Settings) -> None:
    settings.NOTION_TOKEN = Secret("")
    RoundTripFactory(bot=bot)
    tasks.write_journals()
    assert not Parcel.objects.exists()
    assert notion.requests == []
    with pytest.raises(CommandError, match="NOTION_TOKEN"):
        call_command("notion", "import")


def test_the_journal_begins_when_it_is_switched_on_and_backfill_goes_back(
    bot: Bot, notion: FakeNotion, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    old = RoundTripFactory(bot=bot, closed=datetime(2025, 1, 1, tzinfo=UTC))
    middle = RoundTripFactory(bot=bot, closed=datetime(2025, 6, 1, tzinfo=UTC))
    Mark.objects.all().delete()
    journals.collect()
    assert not Parcel.objects.exists()
    new = RoundTripFactory(bot=bot)
    tasks.write_journals()
    assert [row[ID] for row in trades(notion, settings)] == [f"trip:{new.pk}"]
    call_command("notion", "backfill", "--since", "2025-03-01")
    assert capsys.readouterr().out.startswith("2 round trips")
    tasks.write_journals()
    assert [row[ID] for row in trades(notion, settings)] == [f"trip:{new.pk}", f"trip:{middle.pk}"]
    call_command("notion", "backfill")
    tasks.write_journals()
    assert {row[ID] for row in trades(notion, settings)} == {
        f"trip:{trip.pk}" for trip in (old, middle, new)
    }


def test_a_row_that_is_committed_late_is_not_missed(
    bot: Bot, notion: FakeNotion, settings: Settings
) -> None:
    """Ids are given when rows are written, and seen when their transactions end."""
    late = RoundTripFactory(bot=bot)
    facts = {field.attname: getattr(late, field.attname) for field in late._meta.fields}
    late.delete()
    RoundTripFactory.create_batch(5, bot=bot)
    tasks.write_journals()
    type(late).objects.create(**facts)
    tasks.write_journals()
    assert f"trip:{facts['id']}" in {row[ID] for row in trades(notion, settings)}
    assert len(trades(notion, settings)) == 6


def test_more_than_one_run_takes_is_taken_by_the_next(
    bot: Bot, notion: FakeNotion, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "AT_ONCE", 3)
    monkeypatch.setattr(journals, "OVERLAP", 2)
    RoundTripFactory.create_batch(12, bot=bot)
    for _ in range(6):
        journals.collect()
    assert Parcel.objects.count() == 12
    notebook.deliver()
    assert len(trades(notion, settings)) == 12


def test_import_of_legacy_trades(
    notion: FakeNotion, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    old = notion.database(
        Pair="select", Side="rich_text", Price="number", Size="rich_text", PnL="number",
        Date="date", Note="rich_text",
    )  # fmt: skip
    (source,) = notion.databases[old]

    def page(number: int) -> dict[str, Any]:
        def rich(text: str) -> list[dict[str, Any]]:
            return [{"type": "text", "text": {"content": text}}]

        return {
            "Name": {"title": rich(f"trade {number}")},
            "Pair": {"select": {"name": "BTC/USDT"}},
            "Side": {"rich_text": rich("Sell")},
            "Price": {"number": 97000.5},
            "Size": {"rich_text": rich("1,250.75 USDT")},
            "PnL": {"number": -0.25},
            "Date": {"date": {"start": "2024-05-06"}},
        }

    for number in range(7):
        parent = {"type": "data_source_id", "data_source_id": source}
        notion._create({"parent": parent, "properties": page(number)})
    notion.page_size = 3
    for _ in range(2):
        call_command("notion", "import", "--database", old)
        assert capsys.readouterr().out == "7 legacy trades read\n"
    assert LegacyTrade.objects.count() == 7
    trade = LegacyTrade.objects.get(title="trade 0")
    assert (trade.symbol, trade.side, trade.price) == ("BTCUSDT", "Sell", Decimal("97000.5"))
    assert (trade.quantity, trade.profit) == (Decimal("1250.75"), Decimal("-0.25"))
    assert trade.traded_at == datetime(2024, 5, 6, tzinfo=UTC)
    assert trade.properties["Note"] == ""
    assert [page["in_trash"] for page in notion.pages.values()] == [False] * 7


def test_import_leaves_our_own_rows_out(bot: Bot, notion: FakeNotion) -> None:
    RoundTripFactory(bot=bot)
    tasks.write_journals()
    call_command("notion", "import")
    assert not LegacyTrade.objects.exists()


def test_import_says_why_it_cannot(notion: FakeNotion) -> None:
    with pytest.raises(CommandError, match="share the database"):
        call_command("notion", "import", "--database", "1d" * 18)
