"""What the API reads and writes: strict bodies and queries in, explicit rows out."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from rest_framework import serializers

from bots.api.errors import Unknown
from bots.api.fields import Moment, PlainDecimal, Slug, Text, TrueField
from bots.models import Bot, Fill, Order, RoundTrip
from market import types

REASON_LENGTH = 200
GROUPS = {
    "in-flight": types.IN_FLIGHT,
    "open": types.OPEN,
    "closed": types.CLOSED,
}
_SIDES = {word: side.value for side in types.Side for word in (side.value, side.value.lower())}


class Strict(serializers.Serializer[Any]):
    """Input that refuses names it does not know, and says which it does.

    `shape` is what the OpenAPI document says of the whole beside its fields.
    """

    shape: ClassVar[Mapping[str, Any]] = {}
    others: Iterable[str] = ()  # names that are somebody else's, and fine

    def to_internal_value(self, data: object) -> dict[str, Any]:
        if isinstance(data, Mapping):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                accepted = ", ".join([*self.fields, *self.others]) or "none"
                raise serializers.ValidationError(
                    {str(name): [f"unknown; accepted: {accepted}"] for name in unknown}
                )
        known: dict[str, Any] = super().to_internal_value(data)
        return known


def known_slug(slug: str) -> str:
    """The slug of a bot that exists. Raises Unknown, naming those that do."""
    slugs = list(Bot.objects.values_list("slug", flat=True))
    if slug not in slugs:
        raise Unknown("bot", f"no such bot; accepted: {', '.join(slugs) or 'none yet'}")
    return slug


class SwitchBody(Strict):
    """Which bots to pause or resume, and why."""

    shape: ClassVar[Mapping[str, Any]] = {
        "oneOf": [{"required": ["bot"]}, {"required": ["all"]}],
        "example": {"bot": "btc-usdt", "reason": "the news at noon"},
    }
    bot = Slug(required=False)
    all = TrueField(required=False)
    reason = Text(required=False, allow_blank=True, max_length=REASON_LENGTH, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("bot" in attrs) == ("all" in attrs):
            raise serializers.ValidationError(
                {"bot": ['send either {"bot": SLUG} or {"all": true}']}
            )
        return attrs


class ResumeBody(SwitchBody):
    """Which bots to let buy again; `rearm` lifts a kill, and needs a reason."""

    shape: ClassVar[Mapping[str, Any]] = {
        **SwitchBody.shape,
        "example": {"all": True, "rearm": True, "reason": "the smoke was steam"},
    }
    rearm = TrueField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if "rearm" in attrs and not attrs["reason"].strip():
            raise serializers.ValidationError({"reason": ["say why: a rearm needs a reason"]})
        return attrs


class Nothing(Strict):
    """A call that takes no parameters."""


class Span(Strict):
    """Rows of a time: from the first moment on, up to the second, both included."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`from` is a word of Python's, so it cannot stand above."""
        times = {name: Moment(required=False) for name in ("from", "to")}
        return {**super().get_fields(), **times}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "from" in attrs and "to" in attrs and attrs["from"] > attrs["to"]:
            raise serializers.ValidationError({"from": ["must not be after `to`"]})
        return attrs


class BotQuery(Span):
    """Which bot's rows."""

    bot = Slug(required=False)

    def validate_bot(self, value: str) -> str:
        return known_slug(value)


class FillQuery(BotQuery):
    """Which bot's and which side's fills."""

    side = serializers.ChoiceField(
        choices=[*_SIDES],
        required=False,
        error_messages={"invalid_choice": f"accepted: {', '.join(types.Side)}"},
    )

    def validate_side(self, value: str) -> str:
        return _SIDES[value]


class OrderQuery(FillQuery):
    """Which bot's and which side's orders, and how far they are: a group, or one status."""

    status = serializers.ChoiceField(
        choices=[*GROUPS, *types.OrderStatus],
        required=False,
        error_messages={"invalid_choice": f"accepted: {', '.join([*GROUPS, *types.OrderStatus])}"},
    )

    def validate_status(self, value: str) -> list[str]:
        """Statuses of a group (small letters) or the one of that name (capitals)."""
        return sorted(GROUPS[value]) if value in GROUPS else [value]


class OrderRow(serializers.ModelSerializer[Order]):
    """An order of ours."""

    bot = serializers.CharField(source="bot.slug")
    config = serializers.IntegerField(source="config.version")
    price = PlainDecimal()
    quantity = PlainDecimal()
    filled = PlainDecimal()

    class Meta:
        model = Order
        fields = [
            "client_id", "order_id", "bot", "config", "cell", "symbol", "side", "price",
            "quantity", "filled", "time_in_force", "status", "reason", "created_at", "sent_at",
            "acknowledged_at",
        ]  # fmt: skip
        read_only_fields = fields


class FillRow(serializers.ModelSerializer[Fill]):
    """An execution of an order of ours."""

    bot = serializers.CharField(source="bot.slug")
    client_id = serializers.CharField(source="order.client_id")
    cell = serializers.IntegerField(source="order.cell")
    price = PlainDecimal()
    quantity = PlainDecimal()
    fee = PlainDecimal()

    class Meta:
        model = Fill
        fields = [
            "exec_id", "client_id", "bot", "cell", "symbol", "side", "price", "quantity", "fee",
            "fee_coin", "is_maker", "time", "received_at", "booked",
        ]  # fmt: skip
        read_only_fields = fields


class RoundTripRow(serializers.ModelSerializer[RoundTrip]):
    """A bought-and-sold passage of a cell."""

    bot = serializers.CharField(source="bot.slug")
    config = serializers.IntegerField(source="config.version")
    bought = PlainDecimal()
    sold = PlainDecimal()
    cost = PlainDecimal()
    proceeds = PlainDecimal()
    grid_profit = PlainDecimal()
    inventory_pnl = PlainDecimal()

    class Meta:
        model = RoundTrip
        fields = [
            "bot", "config", "cell", "trip", "entry", "bought", "sold", "cost", "proceeds",
            "grid_profit", "inventory_pnl", "opened", "closed",
        ]  # fmt: skip
        read_only_fields = fields
