"""POST /api/rebalance: capital moved between the bots that share it, or what would be moved."""

from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bots import balancing
from bots.api.deploy import told_at_its_field
from bots.api.idempotency import idempotent
from bots.api.permissions import MaySteer
from bots.api.serializers import Strict
from bots.switches import look
from integrations.bybit.account import gateway_from_settings


class RebalanceBody(Strict):
    """Whether it is a question only; a bot stands for all that share capital with it."""

    bot = serializers.SlugField(required=False, max_length=40)
    dry_run = serializers.BooleanField(default=False)

    def validate_bot(self, value: str) -> str:
        slugs = [bot.slug for bot in balancing.sharing()]
        if value not in slugs:
            accepted = f"accepted: {', '.join(slugs)}" if slugs else "no bot does"
            raise ValidationError(f"it shares no capital; {accepted}")
        return value


class Rebalance(APIView):
    """Share capital by expected net grid profit; answers what was or would be moved."""

    permission_classes = (MaySteer,)

    @idempotent(repeatable=False)
    def post(self, request: Request) -> Response:
        body = RebalanceBody(data=request.data)
        body.is_valid(raise_exception=True)
        with told_at_its_field():
            exchange = gateway_from_settings()
            moves = balancing.plan(exchange)
            told = balancing.tell(exchange, moves)
            if body.validated_data["dry_run"]:
                return Response({"dry_run": True, **told})
            moved = balancing.carry_out(moves, by=request.user.get_username())
        for bot in moved:
            look(bot)
        return Response({"dry_run": False, **told})
