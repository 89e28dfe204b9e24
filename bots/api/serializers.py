"""What the API reads and writes: strict bodies and queries in, explicit rows out."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from bots.models import Bot, Fill, Order, RoundTrip
from market import types

REASON_LENGTH = 200
GROUPS = {
    "in-flight": types.IN_FLIGHT,
    "open": types.OPEN,
    "closed": types.CLOSED,
}


class PlainDecimal(serializers.Field[Decimal, str, str, Any]):
    """A decimal on the wire: its own digits, never an exponent."""

    def to_representation(self, value: Decimal) -> str:
        return types.plain(value)


class Strict(serializers.Serializer[Any]):
    """Input that refuses names it does not know, and says which it does."""

    always: tuple[str, ...] = ()  # names that are somebody else's, and fine

    def to_internal_value(self, data: object) -> dict[str, Any]:
        if isinstance(data, Mapping):
            unknown = sorted(set(data) - set(self.fields) - set(self.always))
            if unknown:
                accepted = ", ".join([*self.fields, *self.always])
                raise serializers.ValidationError(
                    {str(name): [f"unknown; accepted: {accepted}"] for name in unknown}
                )
        known: dict[str, Any] = super().to_internal_value(data)
        return known


class TrueField(serializers.Field[bool, Any, bool, Any]):
    """JSON's `true`, and nothing that looks like it."""

    def to_internal_value(self, data: object) -> bool:
        if data is not True:
            raise serializers.ValidationError("must be true, or left out")
        return True


class SwitchBody(Strict):
    """Which bots to pause or resume, and why."""

    bot = serializers.CharField(required=False, max_length=40)
    all = TrueField(required=False)
    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=REASON_LENGTH, default=""
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("bot" in attrs) == ("all" in attrs):
            raise serializers.ValidationError(
                {"bot": ['send either {"bot": SLUG} or {"all": true}']}
            )
        return attrs


class ResumeBody(SwitchBody):
    """Which bots to let buy again; `rearm` lifts a kill."""

    rearm = TrueField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if "rearm" in attrs and not attrs["reason"].strip():
            raise serializers.ValidationError({"reason": ["say why: a rearm needs a reason"]})
        return attrs


class BotQuery(Strict):
    """Which bot's rows."""

    always = ("cursor", "limit")
    bot = serializers.CharField(required=False)

    def validate_bot(self, value: str) -> str:
        slugs = list(Bot.objects.values_list("slug", flat=True))
        if value not in slugs:
            raise serializers.ValidationError(f"no such bot; accepted: {', '.join(slugs)}")
        return value


class FillQuery(BotQuery):
    """Which bot's and which side's fills."""

    side = serializers.CharField(required=False)

    def validate_side(self, value: str) -> str:
        sides = {side.value.lower(): side.value for side in types.Side}
        if value.lower() not in sides:
            raise serializers.ValidationError(f"accepted: {', '.join(sides.values())}")
        return sides[value.lower()]


class OrderQuery(FillQuery):
    """Which bot's and which side's orders, and how far they are."""

    status = serializers.CharField(required=False)

    def validate_status(self, value: str) -> list[str]:
        """Statuses of a group (small letters) or the one of that name (capitals)."""
        if value in GROUPS:
            return sorted(GROUPS[value])
        if value in list(types.OrderStatus):
            return [value]
        accepted = ", ".join([*GROUPS, *types.OrderStatus])
        raise serializers.ValidationError(f"accepted: {accepted}")


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
