"""What the calls answer, for the OpenAPI document: reports are made in bots/reports and shown as
they are, so these classes describe and serialize nothing; Schemathesis proves them true.
"""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer
from rest_framework import serializers

from bots.api.fields import PlainDecimal
from bots.grid.levels import Spacing
from bots.models import Bot
from market import types

Told = serializers.Serializer[Any]
_STATES = [*Bot.State.values, "halted"]


def money(help_text: str = "", *, null: bool = False, maybe: bool = False) -> PlainDecimal:
    """A decimal as text; `null` where it may not be known, `maybe` where it may not be there."""
    return PlainDecimal(help_text=help_text or None, allow_null=null, required=not maybe)


class PriceNow(Told):
    """The newest price of a pair."""

    last = money()
    bid = money()
    ask = money()
    time = serializers.DateTimeField(help_text="exchange clock")
    age_s = serializers.FloatField(help_text="seconds since it came in, machine's clock")


class Range(Told):
    """The shape of a grid."""

    lower = money()
    upper = money()
    grids = serializers.IntegerField()
    spacing = serializers.ChoiceField([each.value for each in Spacing])
    stop_loss = money(null=True)


class Rung(Told):
    """A cell and its order; without one, what it would want and why it does not."""

    index = serializers.IntegerField()
    low = money()
    high = money()
    wants = serializers.ChoiceField([side.value for side in types.Side])
    price = money("of its order, or of the one it would want")
    quantity = money("base")
    status = serializers.ChoiceField(["resting", "in flight", "withheld", "none"])
    reason = serializers.CharField(allow_blank=True)
    held = money("base")


class Resting(Told):
    """How many orders of a bot rest, are on the wire, or are withheld."""

    buys = serializers.IntegerField()
    sells = serializers.IntegerField()
    withheld = serializers.IntegerField()
    in_flight = serializers.IntegerField()


class BotCard(Told):
    """A bot: its state, grid, cells and what it earned. Money is quote."""

    slug = serializers.CharField()
    symbol = serializers.CharField()
    name = serializers.CharField()
    base = serializers.CharField(allow_null=True)
    quote = serializers.CharField(allow_null=True)
    tick = money("tick size of the pair", null=True)
    state = serializers.ChoiceField(_STATES)
    state_text = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    price = PriceNow(allow_null=True)
    change_24h = money("percent", null=True)
    range = Range()
    capital = money()
    cells = Rung(many=True)
    resting = Resting()
    held = money("base")
    today = money("realised by round trips closed since midnight UTC")
    grid_profit = money("realised, net of fees")
    inventory_pnl = money("realised, of coins bought at the market")
    floating = money("inventory at the last price less its cost", null=True)
    total = money("grid profit + inventory PnL + floating", null=True)
    fees = money()
    gate_missed = money("while its gate was closed, by its plan; null without a gate", null=True)
    round_trips = serializers.IntegerField()
    fills = serializers.IntegerField(help_text="orders filled")
    fills_24h = serializers.IntegerField()
    spark = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="a day of closes: pairs of time and price",
    )


class BotCells(Told):
    """The cells of a bot, lowest first."""

    bot = serializers.CharField()
    cells = Rung(many=True)


class BotCards(Told):
    """All bots."""

    bots = BotCard(many=True)


CARD_OR_CARDS = PolymorphicProxySerializer(
    component_name="BotCardOrCards", serializers=[BotCard, BotCards], resource_type_field_name=None
)


class Killed(Told):
    """How far a kill has come."""

    halt_id = serializers.IntegerField()
    state = serializers.CharField(help_text="INCOMPLETE while the exchange still shows orders")
    bots = serializers.ListField(child=serializers.CharField())
    cancelled = serializers.IntegerField(help_text="orders whose cancel was taken")
    open_orders = serializers.IntegerField(allow_null=True, help_text="ours, last seen")
    cancel_ms = serializers.IntegerField(help_text="from its commit until none was seen")


class Bar(Told):
    """A candle."""

    time = serializers.DateTimeField(help_text="when it opened, exchange clock")
    open = money()
    high = money()
    low = money()
    close = money()
    volume = money("base")
    turnover = money("quote")
    closed = serializers.BooleanField()


class Bars(Told):
    """Bars of a time, oldest first."""

    symbol = serializers.CharField()
    interval = serializers.CharField()
    candles = Bar(many=True)
    older = serializers.DateTimeField(allow_null=True, help_text="`to` of the bars before them")


class Percentiles(Told):
    """Milliseconds from a fill's arrival to the acknowledgement of its counter order."""

    p50 = serializers.FloatField()
    p95 = serializers.FloatField()
    p99 = serializers.FloatField()
    samples = serializers.IntegerField()


class Band(Told):
    """What a target should lie in."""

    least = serializers.CharField(allow_null=True)
    most = serializers.CharField(allow_null=True)


class Drawdown(Told):
    """How far the account's worth is below its high, as shares."""

    now = money()
    worst = money()


class AccountFigures(Told):
    """The whole account's figures."""

    month = money("change of its worth over 30 days, as a share", null=True)
    drawdown = Drawdown(allow_null=True)
    latency_ms = Percentiles(allow_null=True)


class BotFigures(Told):
    """One bot's figures; before its first price there is only its name."""

    bot = serializers.CharField()
    run_days = money(maybe=True)
    fills = serializers.IntegerField(required=False)
    grid_apr = money("simple, a share", null=True, maybe=True)
    total_apr = money("simple, a share", null=True, maybe=True)
    latency_ms = Percentiles(allow_null=True, required=False)


class Figures(Told):
    """Targets and what was reached. Rates are shares: 0.85 is 85 %; null: too little to say."""

    bands = serializers.DictField(child=Band())
    account = AccountFigures()
    bots = BotFigures(many=True)


class RiskReport(Told):
    """What is at stake, what watches, what stops trading now, and what did before."""

    halts = serializers.ListField(child=serializers.DictField(), help_text="that stand now")
    guards = serializers.ListField(child=serializers.DictField())
    events = serializers.ListField(child=serializers.DictField(), help_text="the newest first")
    limits = serializers.DictField(child=PlainDecimal())
    alive = serializers.DictField(child=serializers.DateTimeField(), help_text="signs of life")
    stop_losses = serializers.ListField(child=serializers.DictField())


class HealthReport(Told):
    """One word for everyone; the parts for those who may read."""

    status = serializers.ChoiceField(["ok", "degraded", "down"])
    parts = serializers.DictField(child=serializers.DictField(), required=False)


class NetProfit(Told):
    """The least and the greatest net profit of a cell, as shares of its cost."""

    min = money()
    max = money()


class TruthCell(Told):
    """A cell as it would start."""

    index = serializers.IntegerField()
    low = money()
    high = money()
    quantity = money("base")
    starts = serializers.ChoiceField(["holding", "empty"])
    net_profit = money("quote, a round trip")
    net_rate = money("the same as a share")


class Holding(Told):
    """What the grid would own at a price."""

    price = money()
    base = money()
    quote = money()
    worth = money("quote")


class Wanted(Told):
    """An order that would be placed."""

    side = serializers.ChoiceField([side.value for side in types.Side])
    price = money()
    quantity = money()
    kind = serializers.CharField(required=False, help_text="time in force")


class Edited(Told):
    """What an edit would touch."""

    version = serializers.IntegerField()
    kept = Wanted(many=True)
    cancelled = Wanted(many=True)
    placed = Wanted(many=True)
    coins = serializers.ListField(
        child=serializers.DictField(child=PlainDecimal()),
        help_text="cells with what they hold at which cost, before and after",
    )


class Cheaper(Told):
    """The same range and capital in fewer grids, of which fees take less."""

    grids = serializers.IntegerField()
    keeps = money("what fees leave of the gross profit, as a share")
    net_profit_per_cell = NetProfit()


class History(Told):
    """The grid replayed on the newest recorded days of its pair; null where nothing was."""

    source = serializers.CharField(allow_null=True, help_text="our own record, or a tape's name")
    summary = serializers.CharField(help_text="in words, with the span; or why there is nothing")
    days = money(null=True)
    candles = serializers.IntegerField(allow_null=True)
    round_trips = serializers.IntegerField(allow_null=True)
    fills_per_day = money(null=True)
    grid_profit = money(null=True)
    profit_per_day = money("grid profit", null=True)
    total_pnl = money(null=True)
    max_drawdown = money("a share", null=True)
    out_of_range_share = money("of closes", null=True)

    def get_fields(self) -> dict[str, serializers.Field]:  # type: ignore[type-arg]
        """With `from`, which is no name in Python."""
        times = {
            name: serializers.DateTimeField(allow_null=True, help_text="exchange clock")
            for name in ("from", "to")
        }
        return super().get_fields() | times


class TruthCard(Told):
    """The truth about a grid on this moment's market. Money is quote, rates are shares."""

    symbol = serializers.CharField()
    price = money()
    levels = serializers.ListField(child=PlainDecimal(), help_text="after rounding to the tick")
    quantity = serializers.ListField(child=PlainDecimal(), help_text="base, by cell")
    net_profit_per_cell = NetProfit()
    cells = TruthCell(many=True)
    fee_share = money("of the gross profit")
    minimum_investment = money()
    capital_used = money()
    capital_at_price = Holding(many=True)
    loss_at_stop = money(null=True)
    orders = Wanted(many=True)
    daily_profit = serializers.DictField(child=PlainDecimal(), help_text="by fills a day")
    fills_needed = serializers.DictField(child=PlainDecimal(), help_text="a day, by target")
    cheaper = Cheaper(allow_null=True, help_text="where fees take more than a third of the gross")
    history = History()
    warnings = serializers.ListField(child=serializers.CharField())
    edit = Edited(required=False)


class Share(Told):
    """A bot's part of the capital that is shared."""

    bot = serializers.CharField()
    capital = money()
    capital_after = money()
    free = money()
    expected_per_day = money("net grid profit as a share of capital", null=True)
    edit = Edited(allow_null=True)


class Shared(Told):
    """What was or would be moved between the bots that share capital."""

    dry_run = serializers.BooleanField()
    bots = Share(many=True)
    moved = money("quote")


class AlertTaken(Told):
    """The alert as it is stored."""

    alert = serializers.IntegerField()
    state = serializers.CharField()


class Alert(Told):
    """TradingView's message, as the page /webhook/ shows it to paste."""

    secret = serializers.CharField(write_only=True)
    id = serializers.CharField(help_text="one of its own for each alert")
    time = serializers.DateTimeField(help_text="TradingView's {{timenow}}")
    symbol = serializers.CharField(help_text="BTCUSDT, or ALL")
    action = serializers.CharField(
        help_text="pause, resume, stop_buys, allow_buys, rebalance or kill"
    )
    source = serializers.CharField(required=False)
    price = serializers.CharField(required=False)
    interval = serializers.CharField(required=False)
    exchange = serializers.CharField(required=False)
    comment = serializers.CharField(required=False)


class Refusal(Told):
    """Every refusal."""

    error = serializers.DictField()
