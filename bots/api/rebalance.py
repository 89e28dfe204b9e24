"""POST /api/rebalance: capital moved between the bots that share it, or what would be moved.

A bot that shares none has its orders brought to what its grid wants.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bots import balancing
from bots.api import answers
from bots.api.asking import told
from bots.api.deploy import told_at_its_field
from bots.api.fields import Flag, Slug
from bots.api.idempotency import idempotent
from bots.api.permissions import MaySteer
from bots.api.reads import bot_named
from bots.api.serializers import Strict
from bots.models import Bot
from bots.switches import look
from integrations.bybit.account import gateway_from_settings
from market.exchange import Exchange


class RebalanceBody(Strict):
    """Whether it is a question only; a bot stands for all that share capital with it."""

    shape: ClassVar[Mapping[str, Any]] = {"example": {"dry_run": True}}
    bot = Slug(required=False)
    dry_run = Flag(default=False)


class Rebalance(APIView):
    """Share capital by expected net grid profit; answers what was or would be moved."""

    permission_classes = (MaySteer,)

    @extend_schema(request=RebalanceBody, responses=answers.Shared)
    @idempotent(repeatable=False)
    def post(self, request: Request) -> Response:
        wish = told(request, RebalanceBody)
        bot = bot_named(wish["bot"]) if "bot" in wish else None
        exchange = gateway_from_settings()
        by = None if wish["dry_run"] else request.user.get_username()
        with told_at_its_field():
            if bot is None or bot.shares_capital:
                plan, moved = _share(exchange, by)
            else:
                plan, moved = balancing.tell_alone(exchange, bot), [bot]
        for each in moved if by else []:
            look(each)
        return Response({"dry_run": wish["dry_run"], **plan})


def _share(exchange: Exchange, by: str | None) -> tuple[Mapping[str, Any], Sequence[Bot]]:
    """The plan, and the bots that it moved; it moves none without somebody in whose name."""
    moves = balancing.plan(exchange)
    plan = balancing.tell(exchange, moves)
    return plan, balancing.carry_out(moves, by=by) if by else []
