"""POST /api/rebalance: capital moved between the bots that share it, or what would be moved."""

from collections.abc import Mapping
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bots import balancing
from bots.api import answers
from bots.api.asking import told
from bots.api.deploy import told_at_its_field
from bots.api.errors import Unknown
from bots.api.fields import Flag, Slug
from bots.api.idempotency import idempotent
from bots.api.permissions import MaySteer
from bots.api.serializers import Strict
from bots.switches import look
from integrations.bybit.account import gateway_from_settings


class RebalanceBody(Strict):
    """Whether it is a question only; a bot stands for all that share capital with it."""

    shape: ClassVar[Mapping[str, Any]] = {"example": {"dry_run": True}}
    bot = Slug(required=False)
    dry_run = Flag(default=False)

    def validate_bot(self, value: str) -> str:
        slugs = [bot.slug for bot in balancing.sharing()]
        if value not in slugs:
            accepted = f"accepted: {', '.join(slugs)}" if slugs else "no bot does"
            raise Unknown("bot", f"it shares no capital; {accepted}")
        return value


class Rebalance(APIView):
    """Share capital by expected net grid profit; answers what was or would be moved."""

    permission_classes = (MaySteer,)

    @extend_schema(request=RebalanceBody, responses=answers.Shared)
    @idempotent(repeatable=False)
    def post(self, request: Request) -> Response:
        wish = told(request, RebalanceBody)
        with told_at_its_field():
            exchange = gateway_from_settings()
            moves = balancing.plan(exchange)
            plan = balancing.tell(exchange, moves)
            if wish["dry_run"]:
                return Response({"dry_run": True, **plan})
            moved = balancing.carry_out(moves, by=request.user.get_username())
        for bot in moved:
            look(bot)
        return Response({"dry_run": False, **plan})
