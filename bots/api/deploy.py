"""POST /api/deploy: a new bot, or another version of one; with dry_run, the truth about it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, ClassVar

from drf_spectacular.utils import (
    OpenApiResponse,
    PolymorphicProxySerializer,
    extend_schema,
)
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bots import control, edits, preview
from bots.api import answers
from bots.api.asking import told
from bots.api.errors import Conflict
from bots.api.fields import Flag, Money, Share, Slug, Symbol, Text, Whole
from bots.api.idempotency import idempotent
from bots.api.permissions import MaySteer
from bots.api.serializers import Strict, known_slug
from bots.grid.levels import GridSpec, InvalidGrid, Sizing, Spacing
from bots.grid.trailing import HOURLY
from bots.models import Bot
from bots.reports import cards
from bots.switches import look
from integrations.bybit.account import gateway_from_settings
from market.exchange import ExchangeError, Refused

FEWEST_GRIDS, MOST_GRIDS = 2, 100
_QUOTES = ("USDT", "USDC", "EUR", "BTC", "ETH")


MOST_HOURLY = 60


class DeployBody(Strict):
    """The grid fields of the deploy call."""

    shape: ClassVar[Mapping[str, Any]] = {
        "example": {
            "symbol": "BTCUSDT",
            "lower": "95500",
            "upper": "99000",
            "grids": 12,
            "capital": "25000",
            "stop_loss": "94800",
            "dry_run": True,
        }
    }
    symbol = Symbol()
    slug = Slug(required=False)
    name = Text(required=False, max_length=40)
    lower = Money()
    upper = Money()
    grids = Whole(min_value=FEWEST_GRIDS, max_value=MOST_GRIDS)
    capital = Money()
    spacing = serializers.ChoiceField([s.value for s in Spacing], default=Spacing.ARITHMETIC.value)
    sizing = serializers.ChoiceField([s.value for s in Sizing], default=Sizing.BASE.value)
    reserve = Share(default=Decimal("0.05"))
    stop_loss = Money(required=False, allow_null=True, default=None)
    take_profit = Money(required=False, allow_null=True, default=None)
    trigger_price = Money(required=False, allow_null=True, default=None)
    on_exit = serializers.ChoiceField(Bot.Exit.values, default=Bot.Exit.SELL.value)
    trailing_stop = Share(required=False, allow_null=True, default=None)
    trailing_up = Flag(default=False)
    trailing_cap = Money(required=False, allow_null=True, default=None)
    trailing_hourly = Whole(min_value=1, max_value=MOST_HOURLY, default=HOURLY)
    btc_filter = Flag(default=False)
    reference = Symbol(default="", allow_blank=True)
    dry_run = Flag(default=False)


class EditBody(Strict):
    """A bot and what of its grid is to be another way; the rest stays.

    `recentre` moves the range so that the price of this moment lies in its middle.
    """

    shape: ClassVar[Mapping[str, Any]] = {
        "example": {"bot": "btc-usdt", "upper": "99500", "dry_run": True}
    }
    bot = Slug()
    recentre = Flag(default=False)
    lower = Money(required=False)
    upper = Money(required=False)
    grids = Whole(min_value=FEWEST_GRIDS, max_value=MOST_GRIDS, required=False)
    capital = Money(required=False)
    spacing = serializers.ChoiceField([s.value for s in Spacing], required=False)
    sizing = serializers.ChoiceField([s.value for s in Sizing], required=False)
    reserve = Share(required=False)
    stop_loss = Money(required=False, allow_null=True)
    take_profit = Money(required=False, allow_null=True)
    trigger_price = Money(required=False, allow_null=True)
    on_exit = serializers.ChoiceField(Bot.Exit.values, required=False)
    trailing_stop = Share(required=False, allow_null=True)
    trailing_up = Flag(required=False)
    trailing_cap = Money(required=False, allow_null=True)
    trailing_hourly = Whole(min_value=1, max_value=MOST_HOURLY, required=False)
    btc_filter = Flag(required=False)
    reference = Symbol(required=False, allow_blank=True)
    dry_run = Flag(default=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["recentre"] and not attrs.keys().isdisjoint({"lower", "upper"}):
            raise ValidationError({"recentre": "it gives lower and upper itself: leave them out"})
        return attrs

    def validate_bot(self, value: str) -> Bot:
        return Bot.objects.select_related("config", "next_config").get(slug=known_slug(value))


class Deploy(APIView):
    """Work a grid out on this moment's market; without dry_run, start it.

    With `bot`, the grid is that bot's next version, and what would be touched is told too.
    """

    permission_classes = (MaySteer,)

    @extend_schema(
        request=PolymorphicProxySerializer(
            "DeployOrEdit", [DeployBody, EditBody], resource_type_field_name=None
        ),
        responses={
            200: OpenApiResponse(answers.TruthCard, "With `dry_run`: what it would be."),
            201: OpenApiResponse(answers.BotCard, "The bot, new or about to change."),
        },
    )
    @idempotent(repeatable=False)
    def post(self, request: Request) -> Response:
        edits_a_bot = isinstance(request.data, Mapping) and "bot" in request.data
        with told_at_its_field():
            return self._edit(request) if edits_a_bot else self._deploy(request)

    def _edit(self, request: Request) -> Response:
        changes = told(request, EditBody)
        bot, dry_run = changes.pop("bot"), changes.pop("dry_run")
        exchange = gateway_from_settings()
        if changes.pop("recentre"):
            changes |= edits.centred(exchange, bot)
        found, card = edits.look_at(exchange, bot, changes)
        if dry_run:
            return Response(card)
        for objection in found.objections:
            raise objection
        who = request.user.get_username()
        control.edit(bot, changes, by=who, unless=found.beyond)
        look(bot)
        return Response(cards.card(bot), status=status.HTTP_201_CREATED)

    def _deploy(self, request: Request) -> Response:
        wish = told(request, DeployBody)
        asked = _deployment(wish, GridSpec.of(wish))
        found = preview.of_deployment(gateway_from_settings(), asked)
        if wish["dry_run"]:
            return Response(preview.report(found))
        for objection in found.objections:
            raise objection
        who = request.user.get_username()
        bot = control.deploy(asked, by=who, unless=found.beyond)
        look(bot)
        return Response(cards.card(bot), status=status.HTTP_201_CREATED)


@contextmanager
def told_at_its_field() -> Iterator[None]:
    """Turn what can go wrong into answers that say where, and what would be accepted."""
    try:
        yield
    except InvalidGrid as error:
        raise ValidationError({error.field: [str(error)]}) from error
    except Refused as error:
        raise ValidationError({"symbol": [error.reason]}) from error
    except control.NotPossible as error:
        raise Conflict(str(error)) from error
    except ExchangeError as error:
        raise Conflict(f"the exchange does not answer, so nothing was done: {error}") from error


def _deployment(wish: dict[str, Any], spec: GridSpec) -> control.Deployment:
    base, quote = _parts(wish["symbol"])
    return control.Deployment(
        slug=wish.get("slug") or f"{base}-{quote}".lower(),
        name=wish.get("name") or f"{base}/{quote}",
        symbol=wish["symbol"],
        spec=spec,
        stop_loss=wish["stop_loss"],
        take_profit=wish["take_profit"],
        trigger_price=wish["trigger_price"],
        on_exit=wish["on_exit"],
        btc_filter=wish["btc_filter"],
        reference=wish["reference"],
        trailing_stop=wish["trailing_stop"],
        trailing_up=wish["trailing_up"],
        trailing_cap=wish["trailing_cap"],
        trailing_hourly=wish["trailing_hourly"],
    )


def _parts(symbol: str) -> tuple[str, str]:
    """Base and quote of a symbol, for its name."""
    quote = next((q for q in _QUOTES if symbol.endswith(q) and symbol != q), symbol[-4:])
    return symbol.removesuffix(quote), quote
